/** Of an answer over TLS, and of no other: browsers come to this host in no other way for a year, in seconds (RFC 6797 §7). */
export const strictTransport = { 'strict-transport-security': 'max-age=31536000' } as const
