/** The listeners for peers. */
export const ways = ['smtp', 'smtps', 'submissions', 'pop3', 'pop3s'] as const
export type Way = (typeof ways)[number]

/** Who is who at the gateway that is tried. */
export type Places = {
  readonly mailbox: string
  readonly password: string
  readonly address: string
  /** Somebody else's mailbox. */
  readonly honest: string
  /** Names that lead to the provider's servers. */
  readonly mailUser: string
  readonly maildropUser: string
  /** The same at servers that begin in clear. */
  readonly upgradedMailUser: string
  readonly upgradedMaildropUser: string
}

type Opening = (places: Places) => string
type SubmissionOpening = (places: Pick<Places, 'mailUser' | 'upgradedMailUser'>) => string

const hello = 'EHLO client.example\r\n'
const mailed = `${hello}MAIL FROM:<anna@example.com>\r\n`
const addressed: Opening = ({ address }) => `${mailed}RCPT TO:<${address}>\r\n`
const journal: Readonly<Record<string, Opening>> = {
  greeted: () => '',
  helloed: () => hello,
  mailed: () => mailed,
  addressed,
  receiving: (places) => `${addressed(places)}DATA\r\n`,
  coming: (places) => `${addressed(places)}BDAT 10\r\nabc`,
  awaiting: (places) => `${addressed(places)}BDAT 4\r\nabcd`,
  oversized: (places) => `${addressed(places)}BDAT 2000000\r\nabc`,
  spoilt: (places) => `${addressed(places)}RSET\r\nMAIL FROM:<anna@example.com>\r\nBDAT 3\r\nabc`,
  last: (places) => `${addressed(places)}BDAT 10 LAST\r\nabc`,
  securing: (places) => `${addressed(places)}RSET\r\nSTARTTLS\r\n`,
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const plain = (user: string) => base64(`\0${user}\0correct-horse`)
const loggedInAs = (user: string) => `${hello}AUTH PLAIN ${plain(user)}\r\n`
const loggedIn: SubmissionOpening = ({ mailUser }) => loggedInAs(mailUser)
/** OAuth's message: what it says is the provider's to judge. */
const token = (user: string) => base64(`user=${user}\x01auth=Bearer correct-horse\x01\x01`)
const sending: SubmissionOpening = (places) =>
  `${loggedIn(places)}MAIL FROM:<anna@example.com>\r\nRCPT TO:<ben@example.net>\r\n`
export const submission: Readonly<Record<string, SubmissionOpening>> = {
  greeted: () => hello,
  challenged: () => `${hello}AUTH LOGIN\r\n`,
  naming: ({ mailUser }) => `${hello}AUTH LOGIN\r\n${base64(mailUser)}\r\n`,
  byParts: ({ mailUser }) => `${hello}AUTH LOGIN\r\n${base64(mailUser)}\r\n${base64('correct-horse')}\r\n`,
  loggedIn,
  upgraded: ({ upgradedMailUser }) => loggedInAs(upgradedMailUser),
  byToken: ({ mailUser }) => `${hello}AUTH XOAUTH2 ${token(mailUser)}\r\n`,
  asking: (places) => `${loggedIn(places)}NOOP\r\nRSET\r\nEHLO again\r\n`,
  sending,
  renewing: (places) => `${sending(places)}EHLO again\r\n`,
  receiving: (places) => `${sending(places)}DATA\r\n`,
}

const collecting: Opening = ({ mailbox, password }) => `USER ${mailbox}\r\nPASS ${password}\r\n`
type ProxiedOpening = (places: Pick<Places, 'maildropUser' | 'upgradedMaildropUser'>) => string

const elsewhereAs = (user: string) => `USER ${user}\r\nPASS correct-horse\r\n`
const elsewhere: ProxiedOpening = ({ maildropUser }) => elsewhereAs(maildropUser)
export const proxied: Readonly<Record<string, ProxiedOpening>> = {
  elsewhere,
  byToken: ({ maildropUser }) => `AUTH XOAUTH2\r\n${token(maildropUser)}\r\n`,
  upgraded: ({ upgradedMaildropUser }) => `${elsewhereAs(upgradedMaildropUser)}STAT\r\n`,
  reading: (places) => `${elsewhere(places)}UIDL\r\nRETR 1\r\n`,
  flowing: (places) => `${elsewhere(places)}RETR 2\r\n`,
  topping: (places) => `${elsewhere(places)}TOP 1 0\r\nTOP 1 9999\r\n`,
  deleting: (places) => `${elsewhere(places)}DELE 2\r\nDELE 1\r\n`,
}
const pop3: Readonly<Record<string, Opening>> = {
  ...proxied,
  anonymous: () => '',
  named: ({ mailbox }) => `USER ${mailbox}\r\n`,
  challenged: () => 'AUTH PLAIN\r\n',
  guessing: ({ honest }) => `USER ${honest}\r\nPASS correct-horse\r\n`,
  open: collecting,
  listing: (places) => `${collecting(places)}LIST\r\nUIDL\r\nRETR 1\r\nRETR 2\r\n`,
}

/** What leads a session of each listener into the states in which its peer may speak. */
export const openings: Readonly<Record<Way, Readonly<Record<string, Opening>>>> = {
  smtp: journal,
  smtps: journal,
  submissions: submission,
  pop3,
  pop3s: pop3,
}
