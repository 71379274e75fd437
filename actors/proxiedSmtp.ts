/** Commands of a client that a remote SMTP server is asked, one at a time. */
const verbs = ['mail', 'rcpt', 'data', 'rset', 'noop'] as const
export type AskedVerb = (typeof verbs)[number]

export const askedVerb = (word: string): AskedVerb | undefined => verbs.find((verb) => verb === word)

/** What a remote server can do for a client that is logged in: the extensions of its EHLO that matter here. */
export type Extensions = {
  /** Octets of a message (RFC 1870); undefined: SIZE is not offered, 0: there is no fixed limit. */
  readonly size: number | undefined
  readonly eightBit: boolean
  readonly smtpUtf8: boolean
  readonly dsn: boolean
}

export const noExtensions: Extensions = { size: undefined, eightBit: false, smtpUtf8: false, dsn: false }

const flags = ['eightBit', 'smtpUtf8', 'dsn'] as const

/** How they are written in a transcript. */
export const writeExtensions = (extensions: Extensions): string =>
  [`size=${extensions.size ?? '-'}`, ...flags.filter((flag) => extensions[flag])].join(' ')

export const readExtensions = ([size = '', ...words]: readonly string[]): Extensions => ({
  size: size === 'size=-' ? undefined : Number(size.slice('size='.length)),
  eightBit: words.includes('eightBit'),
  smtpUtf8: words.includes('smtpUtf8'),
  dsn: words.includes('dsn'),
})
