import type { Source } from '../support/roundTrip.ts'
import type { Random } from './random.ts'

/** What may never be: it ends what goes on, and is told. */
export class Violation extends Error {}

/** A mail that a sender has begun to send, or that waits at a provider. Times are milliseconds since the epoch, rounded to the unfavourable side. */
export type Mail = {
  readonly name: string
  /** The mailbox's index. */
  readonly mailbox: number
  readonly bytes: Buffer
  /** The way by which it comes to the gateway. */
  readonly source: Source
  /** How often the gateway was given it: it may be there as often. */
  given: number
  /** When 250 had come, or something had happened that may only happen when it is recorded. */
  acknowledged?: number
  /** When a QUIT after its DELE was sent. */
  quitting?: number
  /** When +OK to that had come. */
  deleted?: number
}

/** What the clients of a gateway remember of what they were told. */
export type Ledger = {
  readonly mails: ReadonlyMap<string, Mail>
  /** Messages whose end a collector has read, by their ids, and when the first one had. */
  readonly retrievals: ReadonlyMap<string, number>
  /** Replies that no fault excuses: those after which a sender gives a mail up. */
  readonly refusals: readonly string[]
  begin(mailbox: number, source: Source, bytesOf: (name: string) => Buffer): Mail
  /** The reply to its end. */
  replied(mail: Mail, reply: string): void
  /** Any other reply. */
  heard(reply: string): void
  /** Somebody was given the end of it, or may delete it, who may only be when it is recorded. */
  recorded(mail: Mail): void
  retrieved(messageId: string): void
  quitting(mails: readonly Mail[]): void
  deleted(mails: readonly Mail[]): void
  acknowledgements(): number
}

export const newLedger = (): Ledger => {
  const mails = new Map<string, Mail>()
  const retrievals = new Map<string, number>()
  const refusals: string[] = []
  let acknowledged = 0
  const heard = (reply: string) => {
    if (isForGood.test(reply)) refusals.push(reply)
  }
  const recorded = (mail: Mail) => {
    if (mail.acknowledged === undefined) acknowledged++
    mail.acknowledged ??= Date.now() + 1
  }
  return {
    mails,
    retrievals,
    refusals,
    begin: (mailbox, source, bytesOf) => {
      const name = `${mailbox}-${mails.size}`
      // One that waits at a provider is given when the provider is asked for it.
      const mail = { name, mailbox, source, bytes: bytesOf(name), given: source === 'pop3-proxy' ? 0 : 1 }
      mails.set(name, mail)
      return mail
    },
    heard,
    recorded,
    replied: (mail, reply) => {
      heard(reply)
      if (reply.startsWith('250 ')) recorded(mail)
    },
    retrieved: (messageId) => {
      if (!retrievals.has(messageId)) retrievals.set(messageId, Date.now() + 1)
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

/** After which a sender gives its mail up, or a client its password (RFC 3206 §5). */
const isForGood = /^(?:5|-ERR \[AUTH\])/

/** What has to be so of a mail if the world ended at `at`. */
export type Expected = 'there' | 'gone' | 'either'

export const expectedAt = ({ acknowledged, quitting, deleted, given }: Mail, at: number): Expected => {
  // Of several copies others may be left.
  if (deleted !== undefined && deleted <= at) return given > 1 ? 'either' : 'gone'
  if (quitting !== undefined && quitting <= at) return 'either'
  return acknowledged !== undefined && acknowledged <= at ? 'there' : 'either'
}

const namePattern = /^X-Mail: (\S+)\r$/m

/** The name that a mail says it has, behind its trace or without one. */
export const nameIn = (bytes: Buffer): string | undefined => namePattern.exec(bytes.toString('latin1', 0, 4_000))?.[1]

/** What is in every mail, and in the clear nowhere else. */
export const content = 'one line of many, which is long enough to fill what it has to fill'

/** A mail that says which it is, of about so many octets. */
export const mailOf = (name: string, octets: number): Buffer => {
  const line = `${content}\r\n`
  const lines = Math.max(1, Math.floor(octets / line.length))
  return Buffer.from(`X-Mail: ${name}\r\nSubject: torture\r\n\r\n${line.repeat(lines)}`)
}

/** Of ten mails, one does not fit into a pack, and one nearly. */
const sizes = [500, 1_000, 2_000, 3_000, 4_000, 6_000, 8_000, 20_000, 150_000, 500_000]

/** The same, of any size. */
export const anyMail = (random: Random): ((name: string) => Buffer) => {
  const size = random.one(sizes)
  return (name) => mailOf(name, size)
}
