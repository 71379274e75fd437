const words = [
  'given',
  'awaited',
  'userAwaited',
  'passwordAwaited',
  'malformed',
  'otherMechanism',
  'unread',
  'cancelled',
] as const

/**
 * What the shell found in the place of credentials, which it keeps: all of them, none yet, those of LOGIN without the
 * password, or nothing that makes sense. `unread`: it has not looked, because nothing protects the connection or nobody
 * could log in.
 */
export type SubmittedCredentials = (typeof words)[number]

export const credentialsIn = (text: string): SubmittedCredentials | undefined => words.find((word) => word === text)
