import { asGatewayError, GatewayError } from './core/errors.ts'
import type { Cause, Fact, LoginRefusal, Stamp } from './core/events.ts'
import { type MailboxId, newCommandId, type SessionId } from './core/ids.ts'
import type { EventLog, Logger } from './core/ports.ts'
import { emptyKeyring, isSameKeyring } from './core/keyring.ts'
import { sessionStream } from './core/streams.ts'
import type { GuessingGuard } from './keys/guessingGuard.ts'
import type { Ring } from './keys/ring.ts'
import type { Proof } from './keys/unlock.ts'
import type { Storage } from './storage/storage.ts'

/** Somebody who says that a mailbox is theirs. */
export type Attempt = {
  readonly sessionId: SessionId
  readonly remoteAddress: string
  readonly cause: Cause
  /** The mailbox that `user` means; undefined when there is none. */
  readonly mailboxId: MailboxId | undefined
  readonly user: string
  readonly proof: Proof
}

/** A mailbox whose keys are open, some or all of them. */
export type LoggedIn = {
  readonly mailboxId: MailboxId
  /** The generations that the proof opens; at least one. */
  readonly generations: readonly number[]
  /** Those that nobody can open, because a key file is damaged or missing. */
  readonly damaged: readonly number[]
  /** All that there were. */
  readonly ring: Ring
}

export type Login = {
  /** Throws `too-many-attempts`, and counts that, if `authenticate` would: for who asks before he looks for the mailbox. */
  mayTry(attempt: Attempt): void
  /**
   * Checks the password; the identities that it opens stay unlocked for the session until `storage.lock`, if it opens any
   * of the mailbox's generations. Rejects with `password-wrong` (for a mailbox that does not exist too, after the same time), `too-many-attempts`, `overloaded` or a
   * storage failure. Refusals are recorded or counted.
   */
  authenticate(attempt: Attempt): Promise<LoggedIn>
  /** Records that an attempt came to nothing: an event where the mailbox exists, else a count. */
  refuse(attempt: Attempt, reason: LoginRefusal): void
}

export type LoginParts = {
  readonly storage: Pick<Storage, 'unlock' | 'lock'>
  /** The mailbox's keys as of now; takes as long for one that there is not. */
  ringOf(mailboxId: MailboxId | undefined): Promise<Ring | undefined>
  /** Removes key files that nobody needs any more, at some time. */
  tidy(leftovers: readonly string[]): void
  readonly log: Pick<EventLog, 'append'>
  readonly stamp: Stamp
  readonly guard: GuessingGuard
  /** Counts a refusal that is no event of its own. */
  refused(source: string, kind: string): void
  /** Counts one that is, for the metrics. */
  recorded(kind: LoginRefusal): void
  /** Counts key files that a login has found damaged or missing, for the metrics. */
  damaged(keys: number): void
  readonly logger: Logger
}

/** Attempts when the keys are changed meanwhile. */
const attempts = 3

export const createLogin = (parts: LoginParts): Login => {
  const { storage, log, stamp, guard, refused, recorded, logger } = parts
  const refuse: Login['refuse'] = ({ mailboxId, remoteAddress, sessionId, cause }, reason) => {
    // The guard bounds how often an address gets this far; beyond it, and for typed nonsense, there are only counts.
    if (mailboxId === undefined || reason === 'too-many-attempts') {
      refused(remoteAddress, reason)
      return
    }
    recorded(reason)
    const fact: Fact = { type: 'LoginRefused', data: { mailboxId, reason } }
    const events = [stamp(fact, cause)]
    log
      .append({ stream: sessionStream(sessionId), expected: 'any', commandId: newCommandId(), events })
      .catch((error: unknown) => logger.warn({ err: error, sessionId }, 'LoginRefused was not recorded'))
  }

  const unlockOnce = async ({ sessionId, proof }: Attempt, ring: Ring | undefined) => {
    try {
      return { opened: await storage.unlock(sessionId, ring, proof) }
    } catch (error) {
      if (asGatewayError(error).code !== 'storage-failed') throw error
      return { failure: asGatewayError(error) }
    }
  }
  /** Somebody may change the keys meanwhile: what was named before is gone, and an old password opens nothing any more. */
  const unlockNow = async (attempt: Attempt) => {
    let ring = await parts.ringOf(attempt.mailboxId)
    for (let tries = 1; tries <= attempts; tries++) {
      const { opened, failure } = await unlockOnce(attempt, ring)
      const newer = await parts.ringOf(attempt.mailboxId)
      if (isSameKeyring(ring?.keyring ?? emptyKeyring, newer?.keyring ?? emptyKeyring)) {
        if (failure) throw failure
        return { ring, opened }
      }
      storage.lock(attempt.sessionId)
      ring = newer
    }
    throw new GatewayError('revision-conflict')
  }

  const unlock = async (attempt: Attempt, guessed: string): Promise<LoggedIn | undefined> => {
    try {
      const { ring, opened } = await unlockNow(attempt)
      if (!ring || !opened) return undefined
      if (opened.leftovers.length > 0) parts.tidy(opened.leftovers)
      const { generations, damaged } = opened
      if (damaged.length > 0) {
        parts.damaged(damaged.length)
        logger.warn({ mailboxId: ring.mailboxId, damaged }, 'Keys cannot be opened: fsck names the files to restore')
      }
      return { mailboxId: ring.mailboxId, generations, damaged, ring }
    } catch (error) {
      storage.lock(attempt.sessionId)
      guard.abandoned(attempt.remoteAddress, guessed)
      throw error
    }
  }

  const tooMany = (attempt: Attempt) => {
    refuse(attempt, 'too-many-attempts')
    return new GatewayError('too-many-attempts')
  }

  return {
    refuse,
    mayTry(attempt) {
      if (guard.wait(attempt.remoteAddress, guessedBy(attempt)) > 0) throw tooMany(attempt)
    },
    async authenticate(attempt) {
      const { remoteAddress } = attempt
      const guessed = guessedBy(attempt)
      if (guard.admit(remoteAddress, guessed) > 0) throw tooMany(attempt)
      const loggedIn = await unlock(attempt, guessed)
      if (loggedIn) {
        guard.succeeded(remoteAddress, guessed)
        return loggedIn
      }
      guard.failed(remoteAddress, guessed)
      refuse(attempt, 'wrong-password')
      throw new GatewayError('password-wrong')
    },
  }
}

const guessedBy = ({ mailboxId, user }: Attempt) => mailboxId ?? user
