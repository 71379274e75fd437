import { createHash, createHmac, type Hmac } from 'node:crypto'
import { isSurelyNotWritten } from './core/errors.ts'
import type { Fact, SenderChecks, Source, Stamp, TlsFacts } from './core/events.ts'
import {
  type EventId,
  type MailboxId,
  type MessageId,
  newCommandId,
  type Position,
  type SenderId,
  type SessionId,
  vaultKey,
} from './core/ids.ts'
import type { EventLog, Vault, VaultWriter } from './core/ports.ts'
import { messageStream } from './core/streams.ts'
import { startSealing } from './seal/age.ts'
import { parseRecipient, type Recipient } from './seal/x25519.ts'
import { wireSizeCounter } from './wire/dots.ts'

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
  /** The event that it follows from: the session's last. */
  readonly cause: EventId
  /** Whose token its sender has shown. */
  readonly senderId?: SenderId
  readonly tls: TlsFacts
  /** Header lines that stand before the received bytes; sealed with them. */
  readonly trace: Uint8Array
  /** The server that a proxy connection has dialled for it, `name:port`. */
  readonly target?: string
  /** The keyed digest of where a proxy found it, and the key under which that of its body is to be made. */
  readonly fingerprint?: { readonly origin: string; readonly key: Uint8Array }
}

export type Receipt = {
  readonly messageId: MessageId
  /** Octets of the plaintext: trace and body. */
  readonly size: number
  readonly wireSize: number
  readonly position: Position
  /** The keyed digest of the body, for a delivery with a fingerprint. */
  readonly content: string | undefined
}

export type Archive = {
  /**
   * Seals trace and body under the mailbox's recipient, and resolves when the object and then its events are durable.
   * If `body` throws, or anything fails before the append, no object is left and the failure is thrown on.
   * When the append may have been written (`outcome-unknown`, or a defect), the object stays. `checks`, which must not
   * reject, is waited for before the append. No chunk of the body is kept once the next is asked for: the caller may use its memory again.
   */
  receive(
    delivery: Delivery,
    body: AsyncIterable<Uint8Array>,
    checks?: Promise<SenderChecks | undefined>,
  ): Promise<Receipt>
}

/** What sealing a message made known: everything that its events say. */
type Sealed = {
  readonly size: number
  readonly wireSize: number
  readonly sealedSize: number
  readonly sealedSha256: string
  /** Of the body alone, where a fingerprint is wanted. */
  readonly content: string | undefined
}

export type ArchiveParts = { readonly log: EventLog; readonly vault: Vault; readonly stamp: Stamp }

export const createArchive = ({ log, vault, stamp }: ArchiveParts): Archive => {
  const recipientOf = rememberRecipients()

  const store = async (delivery: Delivery, body: AsyncIterable<Uint8Array>): Promise<Sealed> => {
    const writer = await vault.create(vaultKey(delivery.messageId))
    try {
      const content = delivery.fingerprint && createHmac('sha256', delivery.fingerprint.key)
      const sealed = await seal(recipientOf(delivery.recipient), plaintext(delivery.trace, body, content), writer)
      await writer.commit()
      return { ...sealed, content: content?.digest('hex') }
    } catch (error) {
      await writer.abort()
      throw error
    }
  }

  const record = async (delivery: Delivery, sealed: Sealed, checks: SenderChecks | undefined) => {
    const { messageId, sessionId, remoteAddress, cause: causationId } = delivery
    const cause = { principal: `peer:${remoteAddress}`, correlationId: sessionId, causationId } as const
    const events = factsOf(delivery, sealed, checks).map((fact) => stamp(fact, cause))
    return log.append({ stream: messageStream(messageId), expected: 'no-stream', commandId: newCommandId(), events })
  }

  return {
    async receive(delivery, body, checks) {
      const sealed = await store(delivery, body)
      try {
        const { position } = await record(delivery, sealed, await checks)
        const { size, wireSize, content } = sealed
        return { messageId: delivery.messageId, size, wireSize, position, content }
      } catch (error) {
        // An object without events is garbage, an event without its object a lie: what may be named stays.
        if (isSurelyNotWritten(error)) await vault.remove(vaultKey(delivery.messageId))
        throw error
      }
    },
  }
}

async function* plaintext(trace: Uint8Array, body: AsyncIterable<Uint8Array>, content: Hmac | undefined) {
  yield trace
  if (content === undefined) yield* body
  else
    for await (const chunk of body) {
      content.update(chunk)
      yield chunk
    }
}

const seal = async (recipient: Recipient, plain: AsyncIterable<Uint8Array>, writer: VaultWriter) => {
  const sealing = startSealing([recipient])
  const digest = createHash('sha256')
  const onTheWire = wireSizeCounter()
  let size = 0
  let sealedSize = 0
  const write = async (pieces: readonly Uint8Array[]) => {
    for (const piece of pieces) {
      digest.update(piece)
      sealedSize += piece.byteLength
      await writer.write(piece)
    }
  }
  for await (const chunk of plain) {
    size += chunk.byteLength
    onTheWire.update(chunk)
    await write(sealing.update(chunk))
  }
  await write(sealing.final())
  return { size, wireSize: onTheWire.final(), sealedSize, sealedSha256: digest.digest('hex') }
}

const factsOf = (delivery: Delivery, sealed: Sealed, senderChecks: SenderChecks | undefined): readonly Fact[] => {
  const { messageId, mailboxId, source, sessionId, senderId, tls, generation, target, fingerprint } = delivery
  const { size, wireSize, sealedSize, sealedSha256, content } = sealed
  const more = {
    ...(senderId === undefined ? {} : { senderId }),
    ...(target === undefined ? {} : { target }),
    ...(fingerprint && content !== undefined ? { fingerprint: { origin: fingerprint.origin, content } } : {}),
  }
  const checked = senderChecks && { senderChecks }
  return [
    {
      type: 'MessageReceived',
      data: { messageId, mailboxId, size, wireSize, source, sessionId, tls, ...more, ...checked },
    },
    {
      type: 'MessageSealed',
      data: { messageId, mailboxId, object: vaultKey(messageId), generation, sealedSize, sealedSha256 },
    },
  ]
}

/** Parsing a recipient costs more than sealing to it; a gateway has few. */
const rememberRecipients = (limit = 1000) => {
  const known = new Map<string, Recipient>()
  return (text: string): Recipient => {
    const remembered = known.get(text)
    if (remembered) return remembered
    if (known.size >= limit) known.clear()
    const recipient = parseRecipient(text)
    known.set(text, recipient)
    return recipient
  }
}
