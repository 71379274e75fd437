import { GatewayError } from './core/errors.ts'
import type { Cause, Fact, LoginRefusal, Stamp } from './core/events.ts'
import { type MailboxId, newCommandId, type SessionId } from './core/ids.ts'
import type { EventLog, Logger } from './core/ports.ts'
import type { Secret } from './core/secret.ts'
import { sessionStream } from './core/streams.ts'
import type { GuessingGuard } from './keys/guessingGuard.ts'
import type { Storage } from './storage/storage.ts'

/** Somebody who says that a mailbox is theirs. */
export type Attempt = {
  readonly sessionId: SessionId
  readonly remoteAddress: string
  readonly cause: Cause
  /** The mailbox that `user` means; undefined when there is none. */
  readonly mailboxId: MailboxId | undefined
  readonly user: string
  readonly password: Secret
}

export type Login = {
  /** Throws `too-many-attempts`, and counts that, if `authenticate` would: for who asks before he looks for the mailbox. */
  mayTry(attempt: Attempt): void
  /**
   * Checks the password; the identities that it opens stay unlocked for the session until `storage.lock`. Rejects with
   * `password-wrong` (for a mailbox that does not exist too, after the same time), `too-many-attempts`, `overloaded` or a
   * storage failure. Refusals are recorded or counted.
   */
  authenticate(attempt: Attempt): Promise<MailboxId>
  /** Records that an attempt came to nothing: an event where the mailbox exists, else a count. */
  refuse(attempt: Attempt, reason: LoginRefusal): void
}

export type LoginParts = {
  readonly storage: Pick<Storage, 'unlock'>
  readonly log: Pick<EventLog, 'append'>
  readonly stamp: Stamp
  readonly guard: GuessingGuard
  /** Counts a refusal that is no event of its own. */
  refused(source: string, kind: string): void
  /** Counts one that is, for the metrics. */
  recorded(kind: LoginRefusal): void
  readonly logger: Logger
}

export const createLogin = ({ storage, log, stamp, guard, refused, recorded, logger }: LoginParts): Login => {
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

  const unlock = async ({ remoteAddress, sessionId, mailboxId, password }: Attempt, guessed: string) => {
    try {
      return await storage.unlock(sessionId, mailboxId, password)
    } catch (error) {
      guard.abandoned(remoteAddress, guessed)
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
      const { remoteAddress, mailboxId } = attempt
      const guessed = guessedBy(attempt)
      if (guard.admit(remoteAddress, guessed) > 0) throw tooMany(attempt)
      if ((await unlock(attempt, guessed)) && mailboxId !== undefined) {
        guard.succeeded(remoteAddress, guessed)
        return mailboxId
      }
      guard.failed(remoteAddress, guessed)
      refuse(attempt, 'wrong-password')
      throw new GatewayError('password-wrong')
    },
  }
}

const guessedBy = ({ mailboxId, user }: Attempt) => mailboxId ?? user
