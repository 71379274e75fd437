import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { projections } from '../../projections/projections.ts'
import { fold, foldedTo } from '../../projections/runner.ts'
import { GatewayError } from '../core/errors.ts'
import type { Recorded } from '../core/events.ts'
import type { Position } from '../core/ids.ts'
import type { EventLog } from '../core/ports.ts'
import { type LogPlace, readLog } from '../log/openLog.ts'
import { teller, type Teller } from './truth.ts'
import { condemn, isCorrupt, isOfTheDisk, openViewsFile } from './viewsFile.ts'

// The views thread: the one writer of views.db. It reads the log by a connection of its own.

export type ProjectorPlace = { readonly file: string; readonly log: LogPlace }

export type ProjectorReport =
  /** The views are open at `from`; the log ended at `to`. `rebuilt` names the views that begin at the first event. */
  | { readonly type: 'opened'; readonly from: Position; readonly to: Position; readonly rebuilt: readonly string[] }
  /** So many more events are folded, committed and visible, up to `position`. */
  | { readonly type: 'folded'; readonly position: Position; readonly events: number }
  /** The views hold everything that was in the log at the start. */
  | { readonly type: 'caughtUp' }
  /** The disk is in the way, or a log that is not of this machine is away; tried again until it is not. */
  | { readonly type: 'stalled'; readonly reason: string }
  /** Over: nothing is folded any more, and nothing was skipped. */
  | { readonly type: 'stopped'; readonly reason: string; readonly corrupt: boolean }
  | { readonly type: 'closed' }

export type Projector = { close(): Promise<void> }

/** So that a busy log costs a transaction per this many milliseconds and not per mail. The first event never waits. */
const breath = 20
/** Milliseconds between attempts when the disk is in the way. */
const patience = 1000

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`
}

/** Of the two files that are read here, only the log's failures come as `storage-failed`. */
const isOfTheLog = (error: unknown) => error instanceof GatewayError && error.code === 'storage-failed'

/** Folds the log into the views until closed. Never rejects: `report` tells all. */
export const startProjector = (
  { file, log: place }: ProjectorPlace,
  report: (report: ProjectorReport) => void,
): Projector => {
  const closing = new AbortController()
  const stop = (error: unknown) => {
    if (closing.signal.aborted) return
    const corrupt = isCorrupt(error) && !isOfTheLog(error)
    if (corrupt) condemn(file)
    report({ type: 'stopped', reason: reasonOf(error), corrupt })
  }

  let tell: Teller | undefined
  const run = async (log: EventLog) => {
    const { db, rebuilt } = await openViewsFile(file, log)
    try {
      const from = foldedTo(db)
      const to = await log.head()
      report({ type: 'opened', from, to, rebuilt })
      const { signal } = closing
      tell = teller(log, () => foldedTo(db), report)
      await follow({ log, db, report, tell, signal }, catchUp(from, to, report, signal))
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

/** Says once that the views have come to where the log ended at the start; from then on, pauses between pages. */
const catchUp = (
  from: Position,
  to: Position,
  report: (report: ProjectorReport) => void,
  signal: AbortSignal,
): ((position: Position) => Promise<void>) => {
  let behind = true
  const reached = (position: Position) => {
    if (position < to || !behind) return
    behind = false
    report({ type: 'caughtUp' })
  }
  reached(from)
  return async (position) => {
    reached(position)
    if (!behind) await delay(breath, undefined, { signal })
  }
}

type Follow = {
  readonly log: EventLog
  readonly db: DatabaseSync
  readonly report: (report: ProjectorReport) => void
  readonly tell: Teller
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
