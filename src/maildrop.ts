import type { RetrievableMessage } from '../projections/maildrops.ts'
import { GatewayError } from './core/errors.ts'
import type { Stamp, TlsFacts } from './core/events.ts'
import { type MailboxId, type MessageId, newCommandId, type SessionId } from './core/ids.ts'
import type { EventLog } from './core/ports.ts'
import type { Secret } from './core/secret.ts'
import { maildropStream } from './core/streams.ts'
import type { Login } from './login.ts'
import type { Storage } from './storage/storage.ts'

/** One message as a POP3 session sees it, from the views alone: nothing is opened to know it. */
export type MaildropEntry = RetrievableMessage

/** A snapshot of a mailbox's retrievable messages, held under an exclusive lock until released. */
export type Maildrop = {
  readonly mailboxId: MailboxId
  readonly sessionId: SessionId
  readonly remoteAddress: string
  readonly entries: readonly MaildropEntry[]
}

export type MaildropLogin = {
  readonly sessionId: SessionId
  readonly remoteAddress: string
  readonly tls: TlsFacts
  /** Mailbox id, its address, or an alias. */
  readonly user: string
  readonly password: Secret
}

/** What a POP3 session may do with a mailbox. */
export type Maildrops = {
  /**
   * Checks the password, takes the lock, takes the snapshot. Rejects with `password-wrong` (also for a mailbox that
   * does not exist, after the same time), `too-many-attempts`, `maildrop-in-use`, `overloaded` or a storage failure.
   */
  open(login: MaildropLogin): Promise<Maildrop>
  /**
   * The message's exact plaintext in chunks. Ends only after the sealed object's digest was found equal to the log's and
   * `MessageRetrieved` is durable. When it throws (`object-missing`, `object-corrupt`, `not-openable`, storage
   * failures) the peer must not see an end; before the first chunk it may see the error's answer.
   */
  retrieve(maildrop: Maildrop, entry: MaildropEntry, signal: AbortSignal): AsyncIterable<Uint8Array>
  /**
   * One QUIT: all its deletions, durable when it resolves; one event per 20,000. When it rejects, some of more than
   * 20,000 may have been deleted.
   */
  update(maildrop: Maildrop, deleted: readonly MessageId[]): Promise<void>
  /** Forgets the unlocked identity and gives the lock back. Idempotent. */
  release(maildrop: Maildrop): void
}

export type MaildropParts = {
  readonly storage: Pick<Storage, 'lock' | 'retrieve'>
  readonly log: Pick<EventLog, 'append'>
  readonly stamp: Stamp
  readonly login: Login
  /** The mailbox that a POP3 user name means. */
  mailboxOf(user: string): MailboxId | undefined
  /** Everything acknowledged so far that is retrievable from the mailbox, in the log's order. */
  snapshot(mailbox: MailboxId): Promise<readonly MaildropEntry[]>
}

/** Ids in one event: a UUID and its quotes are 39 octets, an append is at most 900 KiB. */
const idsPerEvent = 20_000

export const openMaildrops = ({ storage, log, stamp, login, mailboxOf, snapshot }: MaildropParts): Maildrops => {
  const holders = new Map<MailboxId, SessionId>()

  const release: Maildrops['release'] = ({ mailboxId, sessionId }) => {
    if (holders.get(mailboxId) !== sessionId) return
    holders.delete(mailboxId)
    storage.lock(sessionId)
  }

  return {
    release,
    async open({ sessionId, remoteAddress, user, password }) {
      const cause = causeOf({ sessionId, remoteAddress })
      const attempt = { sessionId, remoteAddress, cause, mailboxId: mailboxOf(user), user, password }
      const mailboxId = await login.authenticate(attempt)
      if (holders.has(mailboxId)) {
        storage.lock(sessionId)
        login.refuse(attempt, 'in-use')
        throw new GatewayError('maildrop-in-use')
      }
      holders.set(mailboxId, sessionId)
      const maildrop = { mailboxId, sessionId, remoteAddress }
      try {
        return { ...maildrop, entries: await snapshot(mailboxId) }
      } catch (error) {
        release({ ...maildrop, entries: [] })
        login.refuse(attempt, 'unavailable')
        throw error
      }
    },
    async *retrieve(maildrop, entry, signal) {
      const { mailboxId, sessionId } = maildrop
      for await (const chunk of storage.retrieve({ ...entry, mailboxId }, sessionId, causeOf(maildrop))) {
        signal.throwIfAborted()
        yield chunk
      }
    },
    async update(maildrop, deleted) {
      const { mailboxId, sessionId } = maildrop
      for (let from = 0; from < deleted.length; from += idsPerEvent) {
        const data = { mailboxId, sessionId, deleted: deleted.slice(from, from + idsPerEvent) }
        const events = [stamp({ type: 'MaildropUpdated', data }, causeOf(maildrop))]
        await log.append({ stream: maildropStream(mailboxId), expected: 'any', commandId: newCommandId(), events })
      }
    },
  }
}

const causeOf = ({ sessionId, remoteAddress }: { readonly sessionId: SessionId; readonly remoteAddress: string }) =>
  ({ principal: `peer:${remoteAddress}`, correlationId: sessionId, causationId: sessionId }) as const
