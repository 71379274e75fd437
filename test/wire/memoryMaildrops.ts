import { GatewayError } from '../../src/core/errors.ts'
import { newMailboxId, newMessageId, type MessageId, vaultKey } from '../../src/core/ids.ts'
import type { Maildrop, MaildropEntry, Maildrops } from '../../src/maildrop.ts'
import { wireSizeCounter } from '../../src/wire/dots.ts'

export type StoredMessage = {
  readonly entry: MaildropEntry
  /** Throw what a retrieval is to fail with. */
  readonly chunks: (signal: AbortSignal) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

const wireSizeOf = (octets: Uint8Array) => {
  const counter = wireSizeCounter()
  counter.update(octets)
  return counter.final()
}

/** A message of these octets, which come in the given chunks or all at once. */
export const stored = (content: string | Uint8Array, chunks?: StoredMessage['chunks']): StoredMessage => {
  const octets = typeof content === 'string' ? Buffer.from(content, 'latin1') : content
  const messageId = newMessageId()
  return {
    entry: {
      messageId,
      size: octets.length,
      wireSize: wireSizeOf(octets),
      object: vaultKey(messageId),
      generation: 1,
      sealedSize: octets.length + 200,
      sealedSha256: '0'.repeat(64),
    },
    chunks: chunks ?? (() => [octets]),
  }
}

/** One mailbox `alice` in memory, and what was done with it. */
export const memoryMaildrops = (password: string, messages: StoredMessage[], shut = 0) => {
  const done = {
    logins: [] as string[],
    addresses: [] as string[],
    began: [] as number[],
    updates: [] as (readonly MessageId[])[],
    released: 0,
  }
  const mailboxId = newMailboxId()
  let locked: Maildrop | undefined
  const failures: { update?: GatewayError } = {}
  /** What a login waits for. */
  const checking: { before?: () => Promise<void> } = {}
  const maildrops: Maildrops = {
    open: async ({ user, password: given, sessionId, remoteAddress }) => {
      await checking.before?.()
      done.logins.push(user)
      done.addresses.push(remoteAddress)
      if (user !== 'alice' || given.reveal() !== password) throw new GatewayError('password-wrong')
      if (locked) throw new GatewayError('maildrop-in-use')
      const entries = messages.map(({ entry }) => entry)
      locked = { mailboxId, sessionId, remoteAddress, cause: sessionId, entries, shut, damaged: 0 }
      return locked
    },
    retrieve: async function* (_, entry, signal) {
      const index = messages.findIndex((message) => message.entry.messageId === entry.messageId)
      done.began.push(index + 1)
      yield* messages[index]?.chunks(signal) ?? []
    },
    update: async (_, deleted) => {
      await Promise.resolve()
      if (failures.update) throw failures.update
      done.updates.push(deleted)
      for (const id of deleted) {
        const index = messages.findIndex(({ entry }) => entry.messageId === id)
        if (index !== -1) messages.splice(index, 1)
      }
    },
    release: (maildrop) => {
      if (locked?.sessionId !== maildrop.sessionId) return
      locked = undefined
      done.released++
    },
  }
  return { maildrops, done, failures, checking, isLocked: () => locked !== undefined }
}
