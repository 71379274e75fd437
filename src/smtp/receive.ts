import type { Archive } from '../archive.ts'
import type { TlsFacts } from '../core/events.ts'
import { GatewayError } from '../core/errors.ts'
import { type EventId, type MessageId, newMessageId, type SenderId, type SessionId } from '../core/ids.ts'
import type { CheckSender } from '../senderChecks/senderChecks.ts'
import { spending } from '../spent.ts'
import { atEnd } from '../wire/atEnd.ts'
import type { Body } from '../wire/body.ts'
import type { Mailbox } from './recipient.ts'
import { traceHeader } from './trace.ts'

/** What a transaction has said before DATA. */
export type Envelope = {
  readonly reversePath: string
  /** As typed, one for each accepted RCPT. */
  readonly recipients: readonly string[]
  readonly mailbox: Mailbox
  readonly smtpUtf8: boolean
}

/** What is known of the peer at that time. */
export type Sender = {
  readonly sessionId: SessionId
  readonly remoteAddress: string
  readonly helloName: string
  readonly extended: boolean
  /** Whose token was shown. */
  readonly senderId: SenderId | undefined
  readonly tls: TlsFacts
  /** The last event of its session. */
  readonly cause: EventId
}

export type Received = {
  readonly archive: Archive
  readonly domain: string
  readonly at: Date
  readonly envelope: Envelope
  readonly sender: Sender
  readonly body: Body
  /** Called when all of it is there; throws what the sender is told when it is not taken from him any more. */
  readonly mustTake: () => void
  /** Where it is recorded what the DNS says of senders. */
  readonly checkSender: CheckSender | undefined
}

/**
 * One message into the archive. Resolves when it is durable and the end of the data has been read; rejects only when the
 * end of the data has been read too, or nothing more will come, so that the answer never comes before its time.
 */
export const receiveMessage = async (received: Received): Promise<{ readonly messageId: MessageId }> => {
  const { archive, domain, at, envelope, sender, body, mustTake, checkSender } = received
  const { mailbox, smtpUtf8, reversePath, recipients } = envelope
  const { mailboxId, recipient, generation } = mailbox
  const { sessionId, remoteAddress, helloName, senderId, tls, cause } = sender
  const messageId = newMessageId()
  const mailboxAddress = `${mailboxId}@${domain}`
  const only = recipients.length === 1 ? recipients[0] : undefined
  const trace = traceHeader({
    ...sender,
    authenticated: senderId !== undefined,
    reversePath,
    mailboxAddress,
    recipient: only,
    domain,
    smtpUtf8,
    messageId,
    at,
  })
  const peer = { sessionId, remoteAddress, tls, cause, ...(senderId && { senderId }) }
  const delivery = { messageId, mailboxId, recipient, generation, source: 'journal', ...peer, trace } as const
  try {
    const check = checkSender?.({ remoteAddress, helloName, reversePath })
    const heard = spending(check?.heard(body) ?? body)
    await archive.receive(delivery, atEnd(heard, mustTake), check?.found)
    if (!body.taken)
      throw new GatewayError('internal', { cause: new Error('a receipt for a message not read to its end') })
    return { messageId }
  } catch (error) {
    body.discard()
    await body.over
    throw error
  }
}
