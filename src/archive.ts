import { type Source, type TlsFacts } from './core/events.ts'
import { type MailboxId, type MessageId, type Position, type SessionId } from './core/ids.ts'

/** One message on its way into one mailbox. */
export type Delivery = {
  readonly messageId: MessageId
  readonly mailboxId: MailboxId
  /** age recipient and its generation, as the mailbox's view names them. */
  readonly recipient: string
  readonly generation: number
  readonly source: Source
  readonly sessionId: SessionId
  readonly remoteAddress: string
  readonly tls: TlsFacts
  /** Header lines that stand before the received bytes; sealed with them. */
  readonly trace: Uint8Array
}

export type Receipt = {
  readonly messageId: MessageId
  readonly size: number
  readonly wireSize: number
  readonly position: Position
}

export type Archive = {
  /**
   * Seals trace and body under the mailbox's recipient, and resolves when the object and then its events are durable.
   * If `body` throws, or anything fails before the append, no object is left and the failure is thrown on.
   * `outcome-unknown`: the object stays.
   */
  receive(delivery: Delivery, body: AsyncIterable<Uint8Array>): Promise<Receipt>
}
