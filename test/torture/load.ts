import { setTimeout as delay } from 'node:timers/promises'
import type { Ports } from '../../ops/scratchGateway.ts'
import { pop3Client, type Pop3Client } from '../support/pop3Client.ts'
import { withoutTrace } from '../support/roundTrip.ts'
import { smtpClient, type SmtpClient } from '../support/smtpClient.ts'
import { type Ledger, type Mail, mailOf, nameIn } from './ledger.ts'
import type { Random } from './random.ts'

export type Mailbox = {
  readonly mailboxId: string
  readonly address: string
  /** The passwords that may be its own, the likeliest first: after a change whose answer was lost there are two. */
  readonly passwords: string[]
}

export type LoadParts = {
  readonly ports: Ports
  readonly mailboxes: readonly Mailbox[]
  readonly ledger: Ledger
  readonly random: Random
  readonly senders?: number
  readonly collectors?: number
}

export type Load = {
  /** Resolves once so many more mails have been acknowledged, or after so many milliseconds, with whether they were. */
  acknowledged(more: number, within: number): Promise<boolean>
  /** Ends all connections; rejects with what a collector saw that may never be. */
  stop(): Promise<void>
}

/** Of ten mails, one does not fit into a pack, and one nearly. */
const sizes = [500, 1_000, 2_000, 3_000, 4_000, 6_000, 8_000, 20_000, 150_000, 500_000]
/** Milliseconds after a failure: a gateway that is away is not stormed. */
const pause = 50
/** What may never be: it is told at the end, and ends the collector. */
export class Violation extends Error {}

/** Senders and collectors that go on, whatever becomes of their connections, until they are stopped. */
export const startLoad = ({ ports, mailboxes, ledger, random, senders = 4, collectors = 1 }: LoadParts): Load => {
  let over = false
  const isOver = () => over
  const open = new Set<SmtpClient | Pop3Client>()
  const violations: unknown[] = []

  const connected = async <C extends SmtpClient | Pop3Client>(
    connecting: Promise<C>,
    use: (client: C) => Promise<void>,
  ) => {
    const client = await connecting
    if (isOver()) client.wire.destroy()
    open.add(client)
    try {
      await use(client)
    } finally {
      open.delete(client)
      client.wire.destroy()
    }
  }
  const again = async (work: () => Promise<void>) => {
    while (!isOver()) {
      await work().catch((error: unknown) => {
        if (!(error instanceof Violation)) return
        violations.push(error)
        over = true
      })
      await delay(pause)
    }
  }
  const send = (chance: Random) => () =>
    connected(smtpClient(ports.smtp), async (client) => {
      while (!isOver()) {
        await deliverOne(client, { ledger, mailboxes, random: chance })
        await delay(chance.whole(0, 15))
      }
      await client.quit()
    })
  const collect = (chance: Random) => () =>
    connected(pop3Client(ports.pop3s), (client) => collectSome(client, { ledger, mailboxes, random: chance }))

  const running = [
    ...Array.from({ length: senders }, () => again(send(random.fork()))),
    ...Array.from({ length: collectors }, () => again(collect(random.fork()))),
  ]
  return {
    acknowledged: async (more, within) => {
      const [wanted, until] = [ledger.acknowledgements() + more, Date.now() + within]
      while (ledger.acknowledgements() < wanted && Date.now() < until) await delay(5)
      return ledger.acknowledgements() >= wanted
    },
    stop: async () => {
      over = true
      // What is under way may still be answered.
      await delay(20)
      for (const { wire } of open) wire.destroy()
      await Promise.all(running)
      if (violations.length > 0) throw violations[0]
    },
  }
}

type Client = Pick<LoadParts, 'ledger' | 'mailboxes' | 'random'>

/** One mail, acknowledged or not; a reply that puts it off is as good as any. */
export const deliverOne = async (client: SmtpClient, { ledger, mailboxes, random }: Client): Promise<string> => {
  const index = random.whole(0, mailboxes.length - 1)
  const size = random.one(sizes)
  const mail = ledger.begin(index, (name) => mailOf(name, size))
  const address = mailboxes[index]?.address ?? ''
  const chunks = random.chance(0.2)
  const reply = await (chunks ? client.deliverInChunks(address, mail.bytes) : client.deliver(address, mail.bytes))
  ledger.replied(mail, reply)
  // A transaction that was refused half way is still open.
  if (!reply.startsWith('250 ')) {
    await client.command('RSET')
    await delay(pause)
  }
  return reply
}

/** Retrieves some, compares each, deletes one or two of them, and quits. */
const collectSome = async (client: Pop3Client, { ledger, mailboxes, random }: Client) => {
  const index = random.whole(0, mailboxes.length - 1)
  const { mailboxId = '', passwords = [] } = mailboxes[index] ?? {}
  if (!(await client.login(mailboxId, passwords[0] ?? '')).startsWith('+OK')) return
  const count = Number((await client.command('STAT')).split(' ')[1])
  const leaving: Mail[] = []
  for (let tries = 0; count > 0 && tries < 4; tries++) {
    const number = random.whole(1, count)
    const retrieved = await client.retrieve(number).catch(unlessClosed)
    if (!retrieved) continue
    const mail = recognised(ledger, index, withoutTrace(retrieved))
    if (tries > 1 && (await client.command(`DELE ${number}`)).startsWith('+OK')) leaving.push(mail)
  }
  ledger.quitting(leaving)
  if ((await client.quit()).startsWith('+OK')) ledger.deleted(leaving)
}

/** A refusal is an answer like another; a connection that has closed is the end. */
const unlessClosed = (error: unknown): undefined => {
  if (error instanceof Error && error.message.startsWith('-ERR')) return undefined
  throw error
}

/** The mail that this is: it has to be one of the mailbox's, octet for octet. */
export const recognised = (ledger: Ledger, mailbox: number, bytes: Buffer): Mail => {
  const mail = ledger.mails.get(nameIn(bytes) ?? '')
  if (!mail) throw new Violation(`a mail that nobody sent: ${JSON.stringify(bytes.toString('latin1', 0, 100))}`)
  if (mail.mailbox !== mailbox) throw new Violation(`mail ${mail.name} was shown to mailbox ${mailbox}`)
  if (!mail.bytes.equals(bytes)) throw new Violation(`mail ${mail.name} is not what was sent`)
  return mail
}
