import { DatabaseSync } from 'node:sqlite'
import { type ViewReader, viewReader } from '../../projections/projection.ts'
import { GatewayError } from '../core/errors.ts'
import type { Position } from '../core/ids.ts'
import type { Logger } from '../core/ports.ts'
// A whole-statement type import: the other form would run the thread's file in this thread too.
import type { ProjectorPlace, ProjectorReport } from './projector.ts'
import { startThread } from './thread.ts'
import { condemn, isCorrupt } from './viewsFile.ts'
import { visibility, type Visibility } from './visibility.ts'

export type ViewsStatus = {
  /** `stalled`: the disk is in the way, it goes on by itself. `stopped`: nothing is folded until the next start. */
  readonly state: 'live' | 'stalled' | 'stopped' | 'closed'
  /** Everything up to here is in the views. */
  readonly position: Position
  readonly reason: string | undefined
}

/**
 * The views as the main thread sees them. Unless `status().state` is `live` they may be behind the log: that a view does
 * not know a mailbox is then no proof that there is none.
 */
export type Views = {
  /** Read-only; read in pages, each is a moment of its own. Throws `storage-failed`; after `close`, `shutting-down`. */
  readonly reader: ViewReader
  /**
   * Resolves when everything up to `position` is in the views. Rejects with `storage-failed` while the projector is
   * stalled or stopped, `shutting-down` after `close`, or the signal's reason.
   */
  visible(position: Position, signal?: AbortSignal): Promise<void>
  status(): ViewsStatus
  close(): Promise<void>
}

export type ViewsParts = ProjectorPlace & { readonly logger: Logger }

/** Milliseconds between lines about a rebuild, and after which a thread that does not close is ended. */
const progressEvery = 3000
const closeWithin = 10_000

/**
 * Starts the thread that folds the log into the views; resolves when they hold everything that was in the log at that
 * moment. Rejects with `start-refused`, saying why, if they cannot: views that lack a mailbox would refuse its mail.
 */
export const openViews = async ({ file, log, logger }: ViewsParts): Promise<Views> => {
  const place = { file, log }
  let outcome = await attempt(place, logger)
  if ('corrupt' in outcome && outcome.corrupt) {
    logger.warn({ reason: outcome.reason }, 'views.db is corrupt and is built anew')
    outcome = await attempt(place, logger)
  }
  if ('reason' in outcome) {
    throw new GatewayError('start-refused', { detail: `The views cannot be built: ${outcome.reason}` })
  }
  return outcome
}

const attempt = async (place: ProjectorPlace, logger: Logger): Promise<Views | Stop> => {
  const thread = startProjector(place, logger)
  const begun = await thread.begun
  try {
    if (begun === 'caughtUp') return viewsOf(thread, place.file, logger)
  } catch (error) {
    await thread.close()
    throw new GatewayError('start-refused', { detail: `The views ${place.file} cannot be read`, cause: error })
  }
  await thread.close()
  return begun
}

type Stop = { readonly reason: string; readonly corrupt: boolean }
type Thread = {
  readonly begun: Promise<'caughtUp' | Stop>
  readonly visible: Visibility['wait']
  readonly status: () => ViewsStatus
  readonly close: () => Promise<void>
}

const startProjector = (place: ProjectorPlace, logger: Logger): Thread => {
  const worker = startThread(new URL('./projector.ts', import.meta.url), place)
  const visible = visibility()
  const begun = Promise.withResolvers<'caughtUp' | Stop>()
  const over = Promise.withResolvers<undefined>()
  let state: ViewsStatus['state'] = 'live'
  let reason: string | undefined
  const progress = progressLog(logger)

  const hinder = (next: 'stalled' | 'stopped', why: string) => {
    if (state !== next) logger.error({ reason: why }, `The views have ${next}`)
    state = next
    reason = why
    visible.refuse(new GatewayError('storage-failed', { cause: `the views have ${next}: ${why}` }))
  }
  const stop = (stopped: Stop) => {
    if (state === 'closed' || state === 'stopped') return
    progress.end()
    hinder('stopped', stopped.reason)
    begun.resolve(stopped)
  }
  const advance = (position: Position) => {
    if (state === 'stalled') {
      logger.info({ position }, 'The views go on')
      state = 'live'
      reason = undefined
    }
    visible.advance(position)
  }
  const on = (report: ProjectorReport) => {
    if (state === 'closed' && report.type !== 'closed') return
    switch (report.type) {
      case 'opened':
        progress.begin(report)
        advance(report.from)
        break
      case 'folded':
        progress.count(report.events, report.position)
        advance(report.position)
        break
      case 'caughtUp':
        progress.end()
        begun.resolve('caughtUp')
        break
      case 'stalled':
        hinder('stalled', report.reason)
        break
      case 'stopped':
        stop(report)
        break
      case 'closed':
        over.resolve(undefined)
    }
  }
  worker.on('message', on)
  worker.on('error', (error: unknown) => stop({ reason: String(error), corrupt: false }))
  worker.on('exit', () => {
    stop({ reason: 'the thread has ended', corrupt: false })
    over.resolve(undefined)
  })

  const close = async () => {
    progress.end()
    state = 'closed'
    visible.refuse(new GatewayError('shutting-down'))
    worker.postMessage('close')
    const timer = setTimeout(() => over.resolve(undefined), closeWithin)
    await over.promise
    clearTimeout(timer)
    await worker.terminate()
  }
  return {
    begun: begun.promise,
    visible: visible.wait,
    status: () => ({ state, position: visible.position(), reason }),
    close,
  }
}

const viewsOf = (thread: Thread, file: string, logger: Logger): Views => {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 1000 })
  const closed = () => thread.status().state === 'closed'
  return {
    reader: guarded(viewReader(db), closed, (error) => {
      if (!isCorrupt(error)) return
      logger.error({ err: error }, 'views.db is corrupt: it is built anew at the next start')
      condemn(file)
    }),
    visible: thread.visible,
    status: thread.status,
    close: async () => {
      if (closed()) return
      const ended = thread.close()
      db.close()
      await ended
    },
  }
}

const guarded = (reader: ViewReader, closed: () => boolean, onFailure: (error: unknown) => void): ViewReader => {
  const guard = <T>(read: () => T): T => {
    if (closed()) throw new GatewayError('shutting-down')
    try {
      return read()
    } catch (error) {
      onFailure(error)
      throw new GatewayError('storage-failed', { cause: error })
    }
  }
  return {
    get: (sql, ...values) => guard(() => reader.get(sql, ...values)),
    all: (sql, ...values) => guard(() => reader.all(sql, ...values)),
  }
}

/** A line now and then while the views are being brought up to the log. */
const progressLog = (logger: Logger) => {
  let folded = 0
  let position: Position | undefined
  let timer: NodeJS.Timeout | undefined
  return {
    begin: ({ from, to, rebuilt }: { from: Position; to: Position; rebuilt: readonly string[] }) => {
      if (from >= to) return
      if (rebuilt.length > 0) logger.info({ views: rebuilt, from, to }, 'Building views from the log')
      timer = setInterval(() => logger.info({ folded, position, to }, 'Building views'), progressEvery)
      timer.unref()
    },
    count: (events: number, at: Position) => {
      folded += events
      position = at
    },
    end: () => clearInterval(timer),
  }
}
