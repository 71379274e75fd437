import { asGatewayError, GatewayError } from './core/errors.ts'
import type { Fact, Recorded } from './core/events.ts'
import { type MailboxId, newCommandId } from './core/ids.ts'
import type { Append, Clock, EventLog, Logger } from './core/ports.ts'
import { maildropStream } from './core/streams.ts'
import { type HeldLock, type Holder, holdersOf, type LockParts, type MaildropLock, updatesOf } from './maildropLock.ts'

export type LeaseParts = LockParts & {
  readonly log: Pick<EventLog, 'append' | 'readLast'>
  readonly clock: Clock
  readonly logger: Logger
  /** This gateway's name in the log, which no other has. */
  readonly node: string
  /** Seconds that a lease stands without being renewed. */
  readonly seconds: number
}

/**
 * Seconds after its end in which a lease still stands for others, because this machine's clock and the log's differ. If
 * they differ by more, a maildrop changes hands too early, and the fence keeps its earlier holder from deleting.
 */
const margin = 5
/** Renewals in a lease's time: two may come to nothing. */
const renewals = 3

/** What the last event of a maildrop's stream says of the next lease. */
export type LeaseState = { readonly fence: number; readonly heldUntil: number | undefined }

/**
 * `heldUntil` is in milliseconds since the epoch by the log's clock; undefined when nobody holds the maildrop. A holder's
 * last event is always its lease, or that it gave it back.
 */
export const leaseAfter = (last: Recorded | undefined): LeaseState => {
  switch (last?.type) {
    case 'LeaseTaken': {
      const { fence, seconds } = last.data
      return { fence, heldUntil: Date.parse(last.recordedAt) + seconds * 1000 }
    }
    case 'LeaseReleased':
      return { fence: last.data.fence, heldUntil: undefined }
    case 'MaildropUpdated':
      // Written by a gateway that had the log for itself.
      return { fence: last.data.fence ?? 0, heldUntil: undefined }
    default:
      return { fence: 0, heldUntil: undefined }
  }
}

/**
 * The lock among the sessions of all gateways on one log. A maildrop's stream is written at exact revisions only, so
 * that who has been overtaken, be it that its gateway slept, can record nothing any more.
 */
export const leasedLock = (parts: LeaseParts): MaildropLock => {
  const { log, clock, seconds, node } = parts
  const holders = holdersOf()
  const releasing = new Map<MailboxId, Promise<void>>()

  const taken = async (holder: Holder): Promise<HeldLock> => {
    const stream = maildropStream(holder.mailboxId)
    const last = await log.readLast(stream)
    const { fence, heldUntil } = leaseAfter(last)
    const stands = heldUntil !== undefined && clock.now().getTime() < heldUntil + margin * 1000
    // One of this gateway's earlier life: of its sessions now, none holds the maildrop.
    if (stands && last?.metadata.node !== node) throw new GatewayError('maildrop-in-use')
    const lease = leaseOf(parts, holder, fence + 1)
    await lease.append(last?.revision, [lease.taken(seconds)])
    return lease.hold()
  }
  return {
    take: async (holder) => {
      const { mailboxId } = holder
      await releasing.get(mailboxId)
      holders.take(holder)
      try {
        const held = await taken(holder)
        return {
          update: (deleted, by) => held.update(deleted, by),
          release: async () => {
            holders.release(holder)
            const released = held.release()
            releasing.set(mailboxId, released)
            await released
            if (releasing.get(mailboxId) === released) releasing.delete(mailboxId)
          },
        }
      } catch (error) {
        holders.release(holder)
        throw error
      }
    },
  }
}

const leaseOf = ({ log, stamp, logger, seconds }: LeaseParts, holder: Holder, fence: number) => {
  const { mailboxId, sessionId, cause } = holder
  const stream = maildropStream(mailboxId)
  let revision = -1
  /** An append whose outcome is not known: nothing else may be appended before a repeat of it has been answered. */
  let open: Append | undefined
  let lost = false
  let over = false
  let work: Promise<unknown> = Promise.resolve()

  const taken = (time: number): Fact => ({ type: 'LeaseTaken', data: { mailboxId, sessionId, fence, seconds: time } })
  const released: Fact = { type: 'LeaseReleased', data: { mailboxId, sessionId, fence } }

  const write = async (append: Append) => {
    const isRepeat = open === append
    open = append
    try {
      revision = (await log.append(append)).revision
      open = undefined
    } catch (error) {
      const { code } = asGatewayError(error)
      // A repeat that is refused says nothing of the first attempt.
      if (code === 'revision-conflict' || (!isRepeat && code !== 'outcome-unknown')) open = undefined
      if (code !== 'revision-conflict') throw error
      lost = true
      throw new GatewayError('maildrop-in-use', { cause: error })
    }
  }
  const append = async (last: number | undefined, facts: readonly Fact[], by = cause) => {
    if (lost) throw new GatewayError('maildrop-in-use')
    const expected = last ?? 'no-stream'
    const events = facts.map((fact) => stamp(fact, by))
    await write({ stream, expected, commandId: newCommandId(), events })
  }
  /** After everything that was begun before. */
  const inTurn = <T>(next: () => Promise<T>): Promise<T> => {
    const done = work.then(next)
    work = done.catch(() => undefined)
    return done
  }
  const next = async (facts: readonly Fact[], by = cause) => {
    if (open !== undefined) await write(open)
    await append(revision, facts, by)
  }
  const renew = async () => {
    if (over || lost) return
    await next([taken(seconds)])
  }
  const hold = (): HeldLock => {
    const quietly = (renewal: Promise<void>) =>
      void renewal.catch((error: unknown) =>
        logger.warn({ err: error, mailboxId, sessionId }, 'The lease of a maildrop was not renewed'),
      )
    const timer = setInterval(() => quietly(inTurn(renew)), (seconds * 1000) / renewals)
    timer.unref()
    const end = () => {
      clearInterval(timer)
      over = true
    }
    return {
      update: (deleted, by) =>
        inTurn(async () => {
          const updates = updatesOf(holder, deleted, { fence })
          for (const update of updates.slice(0, -1)) await next([update, taken(seconds)], by)
          // Its last event gives the maildrop back: whoever reads +OK may log in at once, at any gateway.
          for (const update of updates.slice(-1)) await next([update, released], by)
          if (updates.length > 0) end()
        }),
      release: async () => {
        if (over) return
        end()
        // One that cannot be given back ends by itself.
        await inTurn(() => (lost ? Promise.resolve() : next([released]))).catch(() => undefined)
      },
    }
  }
  return { append, taken, hold }
}
