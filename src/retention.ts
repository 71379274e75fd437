import { setImmediate as nextTurn } from 'node:timers/promises'
import { deletedMailboxes, mailboxOf } from '../projections/mailboxes.ts'
import { messageOf } from '../projections/messages.ts'
import type { ViewReader } from '../projections/projection.ts'
import { deletedBefore, holdsAnything, nextWithDeleted, purging, type Purgeable } from '../projections/purges.ts'
import { asGatewayError, GatewayError } from './core/errors.ts'
import type { Cause, EventData, Stamp } from './core/events.ts'
import { type MailboxId, newCommandId, type Position, type VaultKey } from './core/ids.ts'
import type { Clock, EventLog } from './core/ports.ts'
import { messageStream } from './core/streams.ts'
import { appendAt, factsOf } from './mailboxes/append.ts'
import { newestOf, type NewestParts } from './mailboxes/newest.ts'
import { appendSurely, whileConflicting } from './core/appending.ts'
import { seen, type Visible } from './mailboxes/seen.ts'

/** What becomes of messages that left their maildrop: they are restored, or destroyed when their time has come. */
export type Retention = {
  /**
   * Puts a message into its maildrop again; one that is there stays. Durable and seen in the views when it resolves.
   * Rejects with `message-unknown`, `purge-decided`, `message-not-relayed`, or what the log rejects with.
   */
  restore(message: EventData['MessageRestored'], cause: Cause): Promise<void>
  /**
   * Destroys what is due, and what was of deleted mailboxes: decides, removes the objects, records that; ends first what an earlier sweep has left, of this
   * gateway or another. Gives how many messages were destroyed. A hold that is placed meanwhile is respected from its event
   * on: what was decided before it is destroyed.
   */
  sweep(signal?: AbortSignal): Promise<number>
}

export type RetentionParts = {
  readonly log: Pick<EventLog, 'append' | 'readStream' | 'readLast' | 'head'>
  readonly stamp: Stamp
  /** All views: what is destroyed is decided by what they say of messages. */
  readonly views: Visible & NewestParts['views'] & { readonly reader: ViewReader }
  /** Durable when it resolves; removing what is not there succeeds. */
  remove(objects: readonly VaultKey[]): Promise<void>
  /** The same of all identities of a mailbox. */
  removeIdentities(mailboxId: MailboxId): Promise<void>
  readonly clock: Clock
  /** Seconds, where a mailbox has none of its own. */
  readonly grace: number
  /** Of what sweeping does. */
  readonly cause: Cause
}

/** Messages of one decision: an event of some 20 KB. */
const atOnce = 500
/** Messages whose destruction is recorded at once. */
const recordsAtOnce = 50

export const createRetention = (parts: RetentionParts): Retention => {
  const { log, views, clock, grace, cause } = parts
  const { reader } = views

  const dueOf = (mailboxId: MailboxId): readonly Purgeable[] => {
    const mailbox = mailboxOf(reader, mailboxId)
    if (!mailbox || mailbox.hold) return []
    // Of a deleted mailbox nobody would collect what was restored.
    const wait = mailbox.state === 'deleted' ? 0 : (mailbox.grace ?? grace)
    const before = new Date(clock.now().getTime() - wait * 1000).toISOString()
    return deletedBefore(reader, { mailboxId, before, limit: atOnce })
  }

  /** What is due, once it has been decided to destroy it. */
  const decidePurge = (mailboxId: MailboxId) =>
    whileConflicting(async () => {
      if (dueOf(mailboxId).length === 0) return []
      // The stream's end first, then the views up to there and beyond: nothing that stands before the decision is missed.
      const mailbox = await newestOf(parts, mailboxId)
      await seen(views, await log.head())
      const due = dueOf(mailboxId)
      if (due.length === 0) return []
      const data = { mailboxId, messageIds: due.map(({ messageId }) => messageId) }
      const facts = factsOf({ type: 'purge', data }, mailbox)
      await appendAt(parts, { mailboxId, next: mailbox.next }, { facts, cause })
      return due
    })

  const destroy = async (messages: readonly Purgeable[]) => {
    if (messages.length === 0) return 0
    await parts.remove(messages.map(({ object }) => object))
    for (let from = 0; from < messages.length; from += recordsAtOnce)
      await Promise.all(messages.slice(from, from + recordsAtOnce).map((message) => recordPurged(parts, message)))
    return messages.length
  }

  const finish = async (part: Part, signal: AbortSignal | undefined) => {
    let count = 0
    let after: Position | undefined
    do {
      signal?.throwIfAborted()
      const { items, next } = purging(reader, { after, limit: atOnce })
      count += await part(() => destroy(items))
      after = next
    } while (after)
    return count
  }

  const purge = async (mailboxId: MailboxId, signal: AbortSignal | undefined) => {
    let count = 0
    for (;;) {
      signal?.throwIfAborted()
      const due = await decidePurge(mailboxId).catch(unlessHeld)
      if (due.length === 0) return count
      count += await destroy(due)
      await seen(views, await log.head())
    }
  }

  /** Last, so that nothing of it is left that the password would not open. */
  const destroyMailbox = async (mailboxId: MailboxId) => {
    const mailbox = await newestOf(parts, mailboxId)
    await seen(views, await log.head())
    if (mailbox.state !== 'deleted' || holdsAnything(reader, mailboxId)) return
    await parts.removeIdentities(mailboxId)
    const facts = factsOf({ type: 'destroy', data: { mailboxId } }, mailbox)
    await appendAt(parts, { mailboxId, next: mailbox.next }, { facts, cause }).catch(unlessHeld)
  }

  return {
    restore: async ({ mailboxId, messageId }, by) => {
      await whileConflicting(async () => {
        const mailbox = await newestOf(parts, mailboxId)
        await seen(views, await log.head())
        const message = messageOf(reader, messageId)
        if (message?.mailboxId !== mailboxId) throw new GatewayError('message-unknown')
        if (message.state === 'purging' || message.state === 'purged') throw new GatewayError('purge-decided')
        if (message.state === 'pending' || message.state === 'refused') throw new GatewayError('message-not-relayed')
        if (message.state === 'retrievable') return
        const facts = factsOf({ type: 'restore', data: { mailboxId, messageId } }, mailbox)
        await appendAt(parts, { mailboxId, next: mailbox.next }, { facts, cause: by })
      })
      await seen(views, await log.head())
    },
    sweep: async (signal) => {
      await seen(views, await log.head())
      const { part, end } = inParts(signal)
      let count = await finish(part, signal)
      for (let one = nextWithDeleted(reader, ''); one; one = nextWithDeleted(reader, one)) {
        const mailboxId = one
        count += await part(() => purge(mailboxId, signal))
        await nextTurn()
      }
      for (const one of deletedMailboxes(reader)) await part(() => destroyMailbox(one).then(() => 0))
      end()
      return count
    },
  }
}

type Part = (work: () => Promise<number>) => Promise<number>

/** What cannot be destroyed keeps nothing else: each part is tried, and the first failure thrown at the end. */
const inParts = (signal: AbortSignal | undefined) => {
  const failures: unknown[] = []
  const part: Part = async (work) => {
    try {
      return await work()
    } catch (error) {
      signal?.throwIfAborted()
      failures.push(error)
      return 0
    }
  }
  const end = () => {
    if (failures.length > 0) throw failures[0]
  }
  return { part, end }
}

/** A hold was first, or several gateways are at it: the next sweep looks again. */
const unlessHeld = (error: unknown): readonly Purgeable[] => {
  const { code } = asGatewayError(error)
  if (code === 'mailbox-held' || code === 'revision-conflict') return []
  throw error
}

const recordPurged = (
  { log, stamp, cause }: Pick<RetentionParts, 'log' | 'stamp' | 'cause'>,
  { messageId, mailboxId }: Purgeable,
): Promise<void> =>
  whileConflicting(async () => {
    const stream = messageStream(messageId)
    const last = await log.readLast(stream)
    // Another gateway has been as far.
    if (!last || last.type === 'MessagePurged') return
    const events = [stamp({ type: 'MessagePurged', data: { messageId, mailboxId } }, cause)]
    await appendSurely(log, { stream, expected: last.revision, commandId: newCommandId(), events })
  })
