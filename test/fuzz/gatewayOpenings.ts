/** The listeners for peers. */
export const ways = ['smtp', 'smtps', 'submissions', 'pop3', 'pop3s'] as const
export type Way = (typeof ways)[number]

/** Who is who at the gateway that is tried. */
export type Places = {
  readonly mailbox: string
  readonly password: string
  readonly address: string
  /** Names that lead to the provider's servers. */
  readonly mailUser: string
  readonly maildropUser: string
}

type Opening = (places: Places) => string

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
  spoilt: () => `${mailed}BDAT 3\r\nabc`,
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const plain = (user: string) => base64(`\0${user}\0correct-horse`)
const loggedIn: Opening = ({ mailUser }) => `${hello}AUTH PLAIN ${plain(mailUser)}\r\n`
const sending: Opening = (places) => `${loggedIn(places)}MAIL FROM:<anna@example.com>\r\nRCPT TO:<ben@example.net>\r\n`
const submission: Readonly<Record<string, Opening>> = {
  greeted: () => hello,
  challenged: () => `${hello}AUTH LOGIN\r\n`,
  naming: ({ mailUser }) => `${hello}AUTH LOGIN\r\n${base64(mailUser)}\r\n`,
  loggedIn,
  sending,
  receiving: (places) => `${sending(places)}DATA\r\n`,
}

const collecting: Opening = ({ mailbox, password }) => `USER ${mailbox}\r\nPASS ${password}\r\n`
const elsewhere: Opening = ({ maildropUser }) => `USER ${maildropUser}\r\nPASS correct-horse\r\n`
const pop3: Readonly<Record<string, Opening>> = {
  anonymous: () => '',
  named: ({ mailbox }) => `USER ${mailbox}\r\n`,
  challenged: () => 'AUTH PLAIN\r\n',
  open: collecting,
  elsewhere,
  byToken: ({ maildropUser }) =>
    `AUTH XOAUTH2\r\n${base64(`user=${maildropUser}\x01auth=Bearer correct-horse\x01\x01`)}\r\n`,
  reading: (places) => `${elsewhere(places)}UIDL\r\nRETR 1\r\n`,
}

/** What leads a session of each listener into the states in which its peer may speak. */
export const openings: Readonly<Record<Way, Readonly<Record<string, Opening>>>> = {
  smtp: journal,
  smtps: journal,
  submissions: submission,
  pop3,
  pop3s: pop3,
}
