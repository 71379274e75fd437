import { setTimeout as delay } from 'node:timers/promises'
import type { Pop3Client } from '../support/pop3Client.ts'
import { withoutTraceOf } from '../support/roundTrip.ts'
import type { SmtpClient } from '../support/smtpClient.ts'
import { anyMail, type Ledger, type Mail, nameIn, Violation } from './ledger.ts'
import type { Random } from './random.ts'

export type Mailbox = {
  readonly mailboxId: string
  readonly address: string
  /** The passwords that may be its own, the likeliest first: after a change whose answer was lost there are two. */
  readonly passwords: string[]
}

/** What a client sends to and collects from, and whom it tells of it. */
export type Client = { readonly mailboxes: readonly Mailbox[]; readonly ledger: Ledger; readonly random: Random }

/** Milliseconds after a failure: a gateway that is away is not stormed. */
export const pause = 50

/** One mail, acknowledged or not; a reply that puts it off is as good as any. */
export const deliverOne = async (client: SmtpClient, { ledger, mailboxes, random }: Client): Promise<string> => {
  const index = random.whole(0, mailboxes.length - 1)
  const mail = ledger.begin(index, 'journal', anyMail(random))
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
export const collectSome = async (client: Pop3Client, { ledger, mailboxes, random }: Client) => {
  const index = random.whole(0, mailboxes.length - 1)
  const { mailboxId = '', passwords = [] } = mailboxes[index] ?? {}
  const answer = await client.login(mailboxId, passwords[0] ?? '')
  ledger.heard(answer)
  if (!answer.startsWith('+OK')) return
  const count = Number((await client.command('STAT')).split(' ')[1])
  const leaving: Mail[] = []
  for (let tries = 0; count > 0 && tries < 4; tries++) {
    const number = random.whole(1, count)
    const [, , messageId = ''] = (await client.command(`UIDL ${number}`)).split(' ')
    const retrieved = await client.retrieve(number).catch(unlessClosed)
    if (!retrieved) continue
    ledger.retrieved(messageId)
    const mail = recognised(ledger, index, retrieved)
    if (tries > 1 && (await client.command(`DELE ${number}`)).startsWith('+OK')) leaving.push(mail)
  }
  ledger.quitting(leaving)
  if ((await client.quit()).startsWith('+OK')) ledger.deleted(leaving)
}

/** A refusal is an answer like another; a connection that has closed is the end. */
export const unlessClosed = (error: unknown): undefined => {
  if (error instanceof Error && error.message.startsWith('-ERR')) return undefined
  throw error
}

/** The mail that this is: it has to be one of the mailbox's, octet for octet behind the trace of the way that it came. */
export const recognised = (ledger: Ledger, mailbox: number, plaintext: Buffer): Mail => {
  const mail = ledger.mails.get(nameIn(plaintext) ?? '')
  if (!mail) throw new Violation(`a mail that nobody sent: ${JSON.stringify(plaintext.toString('latin1', 0, 300))}`)
  if (mail.mailbox !== mailbox) throw new Violation(`mail ${mail.name} was shown to mailbox ${mailbox}`)
  if (!mail.bytes.equals(withoutTraceOf(mail.source, plaintext)))
    throw new Violation(`mail ${mail.name} is not what was sent`)
  return mail
}
