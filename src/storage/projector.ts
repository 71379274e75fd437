import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { projections } from '../../projections/projections.ts'
import { fold, foldedTo } from '../../projections/runner.ts'
import { GatewayError } from '../core/errors.ts'
import type { Recorded } from '../core/events.ts'
import type { Position } from '../core/ids.ts'
import type { EventLog } from '../core/ports.ts'
import { type EventPlace, UnreadableEvent } from '../core/unreadableEvent.ts'
import type { CategoryReader } from '../log/byCategory.ts'
import { type LogPlace, readLog } from '../log/openLog.ts'
import { eventsBetween } from '../log/storedEvent.ts'
import { mailboxesFirst } from './mailboxesFirst.ts'
import { teller, type Teller } from './truth.ts'
import { condemn, isCorrupt, isOfTheDisk, openViewsFile } from './viewsFile.ts'

// The views thread: the one writer of views.db. It reads the log by a connection of its own.

export type ProjectorPlace = { readonly file: string; readonly log: LogPlace }

export type ProjectorReport =
  /**
   * The views are open at `from`, the mailboxes are known up to `mailboxes`; the log ended at `to`. `rebuilt` names the
   * views that begin at the first event, `total` says how many events are to be folded where the log can tell.
   */
  | {
      readonly type: 'opened'
      readonly from: Position
      readonly mailboxes: Position
      readonly to: Position
      readonly rebuilt: readonly string[]
      readonly total: number | undefined
    }
  /** The mailboxes are known up to `position`, where the other views may not be yet. */
  | { readonly type: 'mailboxes'; readonly position: Position }
  /** So many more events are folded, committed and visible, up to `position`. */
  | { readonly type: 'folded'; readonly position: Position; readonly events: number }
  /** The views hold everything that was in the log at the start. */
  | { readonly type: 'caughtUp' }
  /** The disk is in the way, or a log that is not of this machine is away; tried again until it is not. */
  | { readonly type: 'stalled'; readonly reason: string }
  /**
   * Nothing is folded any more, and nothing was skipped. At an `event` that cannot be read, the mailboxes alone are
   * followed further, so that mail is received, until 'mailboxesStopped'.
   */
  | {
      readonly type: 'stopped'
      readonly reason: string
      readonly corrupt: boolean
      readonly event: EventPlace | undefined
    }
  | { readonly type: 'mailboxesStopped'; readonly reason: string }
  | { readonly type: 'closed' }

export type Projector = { close(): Promise<void> }

/** So that a busy log costs a transaction per this many milliseconds and not per mail. The first event never waits. */
const breath = 20
/** Milliseconds between attempts when the disk is in the way. */
const patience = 1000
/** Milliseconds between looks for news of the mailboxes while the other views are behind or stopped. */
const mailboxesEvery = 250

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`
}

/** Of the two files that are read here, only the log's failures come as `storage-failed`. */
const isOfTheLog = (error: unknown) => error instanceof GatewayError && error.code === 'storage-failed'
const isOfCorruptViews = (error: unknown) => isCorrupt(error) && !isOfTheLog(error)

/** The event that cannot be read. One that a corrupt file cannot take in is none. */
const eventOf = (error: unknown) =>
  error instanceof UnreadableEvent && !isOfCorruptViews(error) ? error.event : undefined

/** Folds the log into the views until closed. Never rejects: `report` tells all. */
export const startProjector = (
  { file, log: place }: ProjectorPlace,
  report: (report: ProjectorReport) => void,
): Projector => {
  const closing = new AbortController()
  const stop = (error: unknown) => {
    if (closing.signal.aborted) return
    const corrupt = isOfCorruptViews(error)
    if (corrupt) condemn(file)
    report({ type: 'stopped', reason: reasonOf(error), corrupt, event: eventOf(error) })
  }

  let tell: Teller | undefined
  const run = async (log: EventLog & Partial<CategoryReader>) => {
    const { db, rebuilt } = await openViewsFile(file, log)
    const foldMailboxes = mailboxesFirst(log, db)
    try {
      const mailboxes = await foldMailboxes()
      const from = foldedTo(db)
      const to = await log.head()
      report({ type: 'opened', from, mailboxes, to, rebuilt, total: eventsBetween(from, to) })
      tell = teller({ log, foldedTo: () => foldedTo(db), report, signal: closing.signal })
      const parts = { log, db, report, tell, foldMailboxes, signal: closing.signal }
      await follow(parts, catchUp(parts, from, to)).catch(async (error: unknown) => {
        if (!eventOf(error)) throw error
        stop(error)
        await followMailboxes(parts)
      })
    } finally {
      tell = undefined
      db.close()
    }
  }

  /** A log that is not of this machine may go between the gateway's first look and this one. */
  const runWhenReached = async (log: EventLog) => {
    for (;;) {
      try {
        await run(log)
        return
      } catch (error) {
        if (place.engine === 'sqlite' || !isOfTheLog(error)) throw error
        report({ type: 'stalled', reason: reasonOf(error) })
        await delay(patience, undefined, { signal: closing.signal })
      }
    }
  }

  const open = async () => {
    const log = await readLog(place, (away) => tell?.state(away))
    await runWhenReached(log).finally(() => log.close())
  }
  const ended = open().catch(stop)

  return {
    close: async () => {
      closing.abort()
      await ended
    },
  }
}

/**
 * Says once that the views have caught up with the log, which may grow meanwhile; from then on, pauses between pages.
 * Until then the mailboxes are looked after in between.
 */
const catchUp = (
  { log, foldMailboxes, report, signal }: Follow,
  from: Position,
  head: Position,
): ((position: Position) => Promise<void>) => {
  let behind = from < head
  let to = head
  let since = performance.now()
  let looked = since
  const caughtUp = () => {
    behind = false
    report({ type: 'caughtUp' })
  }
  /** What has come during a long way is the next, shorter one. */
  const nextWay = async (position: Position) => {
    to = await log.head()
    const short = performance.now() - since < breath
    since = performance.now()
    if (short || position >= to) caughtUp()
  }
  if (!behind) caughtUp()
  return async (position) => {
    if (behind && position >= to) await nextWay(position)
    if (!behind) return delay(breath, undefined, { signal })
    if (performance.now() - looked < mailboxesEvery) return
    looked = performance.now()
    report({ type: 'mailboxes', position: await foldMailboxes() })
  }
}

/** Mail is received as long as it is known whose it is. Rejects when the file is corrupt. */
const followMailboxes = async ({ foldMailboxes, report, signal }: Follow): Promise<void> => {
  let told: Position | 'unknown' | undefined
  while (!signal.aborted) {
    try {
      const position = await foldMailboxes()
      if (position !== told) report({ type: 'mailboxes', position })
      told = position
    } catch (error) {
      if (isOfCorruptViews(error)) throw error
      if (told !== 'unknown') report({ type: 'mailboxesStopped', reason: reasonOf(error) })
      told = 'unknown'
      if (!isOfTheDisk(error) && !isOfTheLog(error)) return
    }
    await delay(mailboxesEvery, undefined, { signal }).catch(() => undefined)
  }
}

type Follow = {
  readonly log: EventLog & Partial<CategoryReader>
  readonly db: DatabaseSync
  readonly report: (report: ProjectorReport) => void
  readonly tell: Teller
  readonly foldMailboxes: () => Promise<Position>
  readonly signal: AbortSignal
}

/** Folds until `signal` aborts; rejects with what makes going on impossible. */
const follow = async (parts: Follow, onFolded: (position: Position) => Promise<void>): Promise<void> => {
  const { report, signal } = parts
  while (!signal.aborted) {
    try {
      await followOnce(parts, onFolded)
    } catch (error) {
      if (!isOfTheDisk(error)) throw error
      report({ type: 'stalled', reason: reasonOf(error) })
      await delay(patience, undefined, { signal })
    }
  }
}

const followOnce = async ({ log, db, tell, signal }: Follow, onFolded: (position: Position) => Promise<void>) => {
  const onEvents = async (events: readonly Recorded[]) => {
    const last = events.at(-1)
    if (!last) return
    fold(db, projections, events)
    tell.folded(last.position, events.length)
    await onFolded(last.position)
  }
  const { promise: ended, resolve, reject } = Promise.withResolvers<undefined>()
  const abort = () => resolve(undefined)
  signal.addEventListener('abort', abort, { once: true })
  const subscription = log.subscribe(foldedTo(db), onEvents, reject)
  try {
    await ended
  } finally {
    signal.removeEventListener('abort', abort)
    await subscription.close()
  }
}

if (parentPort) {
  const port = parentPort
  const projector = startProjector(workerData as ProjectorPlace, (report) => port.postMessage(report))
  port.once('message', () => void projector.close().then(() => port.postMessage({ type: 'closed' })))
}
