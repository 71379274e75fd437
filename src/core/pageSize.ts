/** What one page of the admin API may hold, and holds unless less is asked for: so little that nobody waits long behind others. */
export const largestPage = 50
