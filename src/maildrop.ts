import type { RetrievableMessage } from '../projections/maildrops.ts'
import { asGatewayError, GatewayError } from './core/errors.ts'
import type { TlsFacts } from './core/events.ts'
import type { EventId, MailboxId, MessageId, SessionId } from './core/ids.ts'
import { triedAtLogin } from './core/keyring.ts'
import type { Secret } from './core/secret.ts'
import type { Attempt, Login } from './login.ts'
import type { HeldLock, MaildropLock } from './maildropLock.ts'
import type { Storage } from './storage/storage.ts'

/** One message as a POP3 session sees it, from the views alone: nothing is opened to know it. */
export type MaildropEntry = RetrievableMessage

/** A snapshot of a mailbox's retrievable messages, held under an exclusive lock until released. */
export type Maildrop = {
  readonly mailboxId: MailboxId
  readonly sessionId: SessionId
  readonly remoteAddress: string
  /** The event that the retrievals and deletions follow from, once there is one: the accepted login. */
  readonly cause: EventId | SessionId
  /** Those only that the password opens. */
  readonly entries: readonly MaildropEntry[]
  /** How many messages there are besides, under keys that another password opens. */
  readonly shut: number
  /** How many there are besides that nobody can open, because a key file is damaged or missing. */
  readonly damaged: number
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
   * Checks the password, takes the lock, takes the snapshot of what the password opens. Rejects with `password-wrong` (also for a mailbox that
   * does not exist, after the same time), `too-many-attempts`, `maildrop-in-use`, `overloaded` or a storage failure.
   */
  open(login: MaildropLogin): Promise<Maildrop>
  /**
   * The message's exact plaintext in chunks. Ends only after the sealed object's digest was found equal to the log's and
   * `MessageRetrieved` is durable. When it throws (`object-missing`, `object-corrupt`, `not-openable`, storage
   * failures) the peer must not see an end; before the first chunk it may see the error's answer.
   */
  retrieve(maildrop: Maildrop, entry: MaildropEntry, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** One QUIT: all its deletions, durable when it resolves. Rejects as `HeldLock.update` does. */
  update(maildrop: Maildrop, deleted: readonly MessageId[]): Promise<void>
  /** Forgets the unlocked identity and gives the lock back. Idempotent. */
  release(maildrop: Maildrop): void
}

export type MaildropParts = {
  readonly storage: Pick<Storage, 'lock' | 'retrieve'>
  readonly lock: MaildropLock
  readonly login: Login
  /** The mailbox that a POP3 user name means, as far as is known. */
  mailboxOf(user: string): MailboxId | undefined
  /** Where others make mailboxes too: resolves when those are known that there were at the time of the call. */
  readonly current: (() => Promise<void>) | undefined
  /** Everything acknowledged so far that is retrievable from the mailbox, in the log's order. */
  snapshot(mailbox: MailboxId): Promise<readonly MaildropEntry[]>
}

export const openMaildrops = ({ storage, lock, login, mailboxOf, current, snapshot }: MaildropParts): Maildrops => {
  const held = new Map<SessionId, HeldLock>()

  const release: Maildrops['release'] = ({ sessionId }) => {
    const lease = held.get(sessionId)
    if (!held.delete(sessionId)) return
    void lease?.release()
    storage.lock(sessionId)
  }
  const take = async (attempt: Attempt, mailboxId: MailboxId) => {
    const { sessionId, cause } = attempt
    try {
      held.set(sessionId, await lock.take({ mailboxId, sessionId, cause }))
    } catch (error) {
      storage.lock(sessionId)
      login.refuse(attempt, asGatewayError(error).code === 'maildrop-in-use' ? 'in-use' : 'unavailable')
      throw error
    }
  }

  return {
    release,
    async open({ sessionId, remoteAddress, user, password }) {
      const cause = causeOf({ sessionId, remoteAddress, cause: sessionId })
      const attemptNow = () => ({
        sessionId,
        remoteAddress,
        cause,
        mailboxId: mailboxOf(user),
        user,
        proof: { password, atMost: triedAtLogin },
      })
      if (current) {
        // Before the look, which costs something, and after it whatever it finds: the time tells no names.
        login.mayTry(attemptNow())
        await current()
      }
      const attempt = attemptNow()
      const { mailboxId, generations, damaged } = await login.authenticate(attempt)
      await take(attempt, mailboxId)
      const maildrop = { mailboxId, sessionId, remoteAddress, cause: sessionId }
      try {
        const all = await snapshot(mailboxId)
        const entries = all.filter(({ generation }) => generations.includes(generation))
        const lost = all.filter(({ generation }) => damaged.includes(generation)).length
        return { ...maildrop, entries, shut: all.length - entries.length - lost, damaged: lost }
      } catch (error) {
        release({ ...maildrop, entries: [], shut: 0, damaged: 0 })
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
      const lease = held.get(maildrop.sessionId)
      if (!lease) throw new GatewayError('maildrop-in-use')
      await lease.update(deleted, causeOf(maildrop))
    },
  }
}

const causeOf = ({ sessionId, remoteAddress, cause }: Pick<Maildrop, 'sessionId' | 'remoteAddress' | 'cause'>) =>
  ({ principal: `peer:${remoteAddress}`, correlationId: sessionId, causationId: cause }) as const
