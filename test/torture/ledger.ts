/** A mail that a sender has begun to send. Times are milliseconds since the epoch, rounded to the unfavourable side. */
export type Mail = {
  readonly name: string
  /** The mailbox's index. */
  readonly mailbox: number
  readonly bytes: Buffer
  /** When 250 had come. */
  acknowledged?: number
  /** When a QUIT after its DELE was sent. */
  quitting?: number
  /** When +OK to that had come. */
  deleted?: number
}

/** What the clients of a gateway remember of what they were told. */
export type Ledger = {
  readonly mails: ReadonlyMap<string, Mail>
  /** Replies that no fault excuses: those after which a sender gives a mail up. */
  readonly refusals: readonly string[]
  begin(mailbox: number, bytesOf: (name: string) => Buffer): Mail
  replied(mail: Mail, reply: string): void
  quitting(mails: readonly Mail[]): void
  deleted(mails: readonly Mail[]): void
  acknowledgements(): number
}

export const newLedger = (): Ledger => {
  const mails = new Map<string, Mail>()
  const refusals: string[] = []
  let acknowledged = 0
  return {
    mails,
    refusals,
    begin: (mailbox, bytesOf) => {
      const name = `${mailbox}-${mails.size}`
      const mail = { name, mailbox, bytes: bytesOf(name) }
      mails.set(name, mail)
      return mail
    },
    replied: (mail, reply) => {
      if (reply.startsWith('5')) refusals.push(reply)
      if (!reply.startsWith('250 ')) return
      mail.acknowledged = Date.now() + 1
      acknowledged++
    },
    quitting: (some) => {
      for (const mail of some) mail.quitting ??= Date.now()
    },
    deleted: (some) => {
      for (const mail of some) mail.deleted = Date.now() + 1
    },
    acknowledgements: () => acknowledged,
  }
}

/** What has to be so of a mail if the world ended at `at`. */
export type Expected = 'there' | 'gone' | 'either'

export const expectedAt = ({ acknowledged, quitting, deleted }: Mail, at: number): Expected => {
  if (deleted !== undefined && deleted <= at) return 'gone'
  if (quitting !== undefined && quitting <= at) return 'either'
  return acknowledged !== undefined && acknowledged <= at ? 'there' : 'either'
}

const namePattern = /^X-Mail: (\S+)\r\n/

/** The name that a mail says it has. */
export const nameIn = (bytes: Buffer): string | undefined => namePattern.exec(bytes.toString('latin1', 0, 100))?.[1]

/** A mail that says which it is, of about so many octets. */
export const mailOf = (name: string, octets: number): Buffer => {
  const line = 'one line of many, which is long enough to fill what it has to fill\r\n'
  const lines = Math.max(1, Math.floor(octets / line.length))
  return Buffer.from(`X-Mail: ${name}\r\nSubject: torture\r\n\r\n${line.repeat(lines)}`)
}
