import { createHash } from 'node:crypto'
import { GatewayError } from './core/errors.ts'
import type { Cause, Fact, Stamp } from './core/events.ts'
import { type MailboxId, type MessageId, newCommandId, type SessionId, type VaultKey } from './core/ids.ts'
import type { EventLog, Vault } from './core/ports.ts'
import { messageStream } from './core/streams.ts'
import { AgeError, startOpening } from './seal/age.ts'
import type { Identity } from './seal/x25519.ts'

/** What the log says of a sealed object. */
export type SealedMessage = {
  readonly messageId: MessageId
  readonly mailboxId: MailboxId
  readonly object: VaultKey
  readonly sealedSize: number
  readonly sealedSha256: string
}

export type Retrieval = {
  readonly message: SealedMessage
  readonly sessionId: SessionId
  readonly cause: Cause
  readonly identities: readonly Identity[]
}

/**
 * The message's exact plaintext in chunks. The end, and the last chunk, are not reached before the object's digest was
 * found equal to the log's and `MessageRetrieved` is durable. Throws `object-missing`, `object-corrupt` (both recorded
 * as `MessageUnreadable`), `message-purged`, `not-openable`, or what the log throws; then the peer must not see an end.
 */
export type Retrieve = (retrieval: Retrieval) => AsyncGenerator<Uint8Array, void, undefined>

export const createRetrieve = ({ log, vault, stamp }: RetrieveParts): Retrieve => {
  const record = async (fact: Fact, { message, cause }: Retrieval) => {
    const events = [stamp(fact, cause)]
    await log.append({ stream: messageStream(message.messageId), expected: 'any', commandId: newCommandId(), events })
  }

  return async function* retrieve(retrieval) {
    const { messageId, mailboxId } = retrieval.message
    const about = { messageId, mailboxId, sessionId: retrieval.sessionId }
    try {
      const last = yield* allButLast(verified(vault, retrieval.message, retrieval.identities))
      await record({ type: 'MessageRetrieved', data: about }, retrieval)
      if (last) yield last
    } catch (error) {
      const reason = unreadable(error)
      if (reason === 'missing' && (await log.readLast(messageStream(messageId)))?.type === 'MessagePurged')
        throw new GatewayError('message-purged', { cause: error })
      if (reason) await record({ type: 'MessageUnreadable', data: { ...about, reason } }, retrieval)
      throw error
    }
  }
}

export type RetrieveParts = { readonly log: EventLog; readonly vault: Vault; readonly stamp: Stamp }

const unreadable = (error: unknown) => {
  if (!(error instanceof GatewayError)) return undefined
  if (error.code === 'object-missing') return 'missing'
  return error.code === 'object-corrupt' ? 'corrupt' : undefined
}

/** The plaintext, unrecorded; its last chunk not before the object's digest was found equal to the log's. */
export async function* openVerified(
  vault: Vault,
  message: SealedMessage,
  identities: readonly Identity[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const last = yield* allButLast(verified(vault, message, identities))
  if (last) yield last
}

/** Holds back the chunk after which nothing follows; returns it. */
async function* allButLast(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, Uint8Array | undefined> {
  let held: Uint8Array | undefined
  for await (const chunk of chunks) {
    if (held) yield held
    held = chunk
  }
  return held
}

/** Plaintext as it authenticates; ends only if the object is the one that was recorded. */
async function* verified(
  vault: Vault,
  message: SealedMessage,
  identities: readonly Identity[],
): AsyncGenerator<Uint8Array> {
  const opening = startOpening(identities)
  const digest = createHash('sha256')
  let failure: unknown
  for await (const chunk of vault.open(message.object)) {
    digest.update(chunk)
    if (failure) continue
    try {
      yield* opening.update(chunk)
    } catch (error) {
      failure = error
    }
  }
  // Only the digest tells a wrong object from a wrong key.
  if (digest.digest('hex') !== message.sealedSha256) throw new GatewayError('object-corrupt', { cause: failure })
  if (failure) throw asOpeningFailure(failure)
  yield* opening.final()
}

const asOpeningFailure = (failure: unknown) =>
  failure instanceof AgeError && failure.code === 'no-identity-matched'
    ? new GatewayError('not-openable', { cause: failure })
    : new GatewayError('object-corrupt', { cause: failure })
