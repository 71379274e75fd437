import { GatewayError } from './core/errors.ts'
import type { Cause, Fact, NewEvent, Stamp } from './core/events.ts'
import { type MailboxId, type MessageId, newCommandId, type SessionId } from './core/ids.ts'
import type { EventLog } from './core/ports.ts'
import { maildropStream } from './core/streams.ts'

/** Who wants a maildrop for itself. */
export type Holder = { readonly mailboxId: MailboxId; readonly sessionId: SessionId; readonly cause: Cause }

/** A maildrop that one session holds. */
export type HeldLock = {
  /**
   * Records one QUIT's deletions, durable when it resolves; one event per 20,000. Nothing may follow but `release`.
   * Rejects with `maildrop-in-use` when another session has taken the maildrop over meanwhile; what it had not recorded
   * by then it never will. After any failure some of more than 20,000 may have been recorded. `by` is the cause, where
   * that is another than the holder's.
   */
  update(deleted: readonly MessageId[], by?: Cause): Promise<void>
  /** Gives the maildrop back. Idempotent, never rejects; who waits for it may take the maildrop at once. */
  release(): Promise<void>
}

/** The exclusive lock of RFC 1939 §3 (beginning of the TRANSACTION state). */
export type MaildropLock = {
  /** Rejects with `maildrop-in-use` while another session holds the maildrop, or with a storage failure. */
  take(holder: Holder): Promise<HeldLock>
}

/** Ids in one event: a UUID and its quotes are 39 octets, an append is at most 900 KiB. */
const idsPerEvent = 20_000

type Updated = Extract<Fact, { readonly type: 'MaildropUpdated' }>

/** The events of one QUIT, as many as its deletions need. */
export const updatesOf = (
  { mailboxId, sessionId }: Holder,
  deleted: readonly MessageId[],
  lease: { readonly fence?: number } = {},
): readonly Updated[] => {
  const updates: Updated[] = []
  for (let from = 0; from < deleted.length; from += idsPerEvent) {
    const data = { mailboxId, sessionId, deleted: deleted.slice(from, from + idsPerEvent), ...lease }
    updates.push({ type: 'MaildropUpdated', data })
  }
  return updates
}

export type LockParts = { readonly log: Pick<EventLog, 'append'>; readonly stamp: Stamp }

/** The lock among the sessions of one gateway that has its log for itself. */
export const localLock = ({ log, stamp }: LockParts): MaildropLock => {
  const holders = holdersOf()
  const append = (mailboxId: MailboxId, events: readonly NewEvent[]) =>
    log.append({ stream: maildropStream(mailboxId), expected: 'any', commandId: newCommandId(), events })
  return {
    take: (holder) =>
      Promise.try(() => {
        holders.take(holder)
        return {
          update: async (deleted, by = holder.cause) => {
            for (const update of updatesOf(holder, deleted)) await append(holder.mailboxId, [stamp(update, by)])
          },
          release: () => {
            holders.release(holder)
            return Promise.resolve()
          },
        }
      }),
  }
}

/** Which session of this gateway holds which maildrop. */
export const holdersOf = () => {
  const holders = new Map<MailboxId, SessionId>()
  return {
    /** Throws `maildrop-in-use`. */
    take: ({ mailboxId, sessionId }: Holder) => {
      if (holders.has(mailboxId)) throw new GatewayError('maildrop-in-use')
      holders.set(mailboxId, sessionId)
    },
    release: ({ mailboxId, sessionId }: Holder) => {
      if (holders.get(mailboxId) === sessionId) holders.delete(mailboxId)
    },
  }
}
