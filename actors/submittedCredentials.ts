/**
 * What the shell found in the place of credentials, which it keeps: all of them, none yet, those of LOGIN without the
 * password, or nothing that makes sense. `unread`: it has not looked, because nothing protects the connection or nobody
 * could log in.
 */
export const submittedCredentials = [
  'given',
  'awaited',
  'userAwaited',
  'passwordAwaited',
  'malformed',
  'otherMechanism',
  'unread',
  'cancelled',
] as const
export type SubmittedCredentials = (typeof submittedCredentials)[number]

export const credentialsIn = (text: string): SubmittedCredentials | undefined =>
  submittedCredentials.find((word) => word === text)
