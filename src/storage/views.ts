import { DatabaseSync } from 'node:sqlite'
import { type ViewReader, viewReader } from '../../projections/projection.ts'
import { GatewayError } from '../core/errors.ts'
import type { Position } from '../core/ids.ts'
import type { Logger } from '../core/ports.ts'
// A whole-statement type import: the other form would run the thread's file in this thread too.
import type { ProjectorPlace, ProjectorReport } from './projector.ts'
import { type BreakableViews, renewedViews } from './renewedViews.ts'
import { startThread } from './thread.ts'
import { condemn, isCorrupt } from './viewsFile.ts'
import { type Stop, type ViewsState, viewsState, type ViewsStatus } from './viewsState.ts'

/**
 * The views as the main thread sees them. Unless `status().state` is `live` they may be behind the log: that a view does
 * not know a message is then no proof that there is none.
 */
export type Views = {
  /** Read-only; read in pages, each is a moment of its own. Throws `storage-failed`; after `close`, `shutting-down`. */
  readonly reader: ViewReader
  /**
   * Resolves when everything up to `position` is in the views. Rejects with `storage-failed` while the projector is
   * stalled or stopped, `shutting-down` after `close`, or the signal's reason.
   */
  visible(position: Position, signal?: AbortSignal): Promise<void>
  /** The same of the mailboxes alone, which do not wait for the other views. */
  mailboxesVisible(position: Position, signal?: AbortSignal): Promise<void>
  status(): ViewsStatus
  close(): Promise<void>
}

export type ViewsParts = ProjectorPlace & {
  readonly logger: Logger
  /** Called, and waited for, when the log is away before the views are open; what it rejects with ends the start. */
  readonly onAway?: (error: GatewayError) => Promise<void>
  /** Ends the start with `shutting-down`. */
  readonly signal?: AbortSignal | undefined
}

/** Milliseconds after which a thread that does not close is ended. */
const closeWithin = 10_000

/**
 * Starts the thread that folds the log into the views; resolves when the mailboxes are all that the log says, and the
 * other views too unless that takes long or an event stops them. Rejects with `start-refused`, saying why, if the
 * mailboxes cannot be known: their mail would be refused.
 */
export const openViews = async (parts: ViewsParts): Promise<Views> => {
  const { logger } = parts
  let outcome = await attempt(parts)
  if ('corrupt' in outcome && outcome.corrupt) {
    logger.warn({ reason: outcome.reason }, 'views.db is corrupt and is built anew')
    outcome = await attempt(parts)
  }
  if ('reason' in outcome) {
    throw new GatewayError('start-refused', { detail: `The views cannot be built: ${outcome.reason}` })
  }
  const { file, log } = parts
  return renewedViews({ first: outcome, open: (signal) => attempt({ file, log, logger, signal }), logger })
}

const attempt = async (parts: ViewsParts): Promise<BreakableViews | Stop> => {
  const thread = startProjector(parts)
  try {
    const begun = await Promise.race([thread.state.begun, thread.givenUp])
    if (begun === 'open') return viewsOf(thread, parts.file)
    await thread.close()
    return begun
  } catch (error) {
    await thread.close()
    throw error
  }
}

type Thread = {
  readonly state: ViewsState
  readonly broken: BreakableViews['broken']
  /** What the thread itself has not met. */
  readonly breaks: (reason: string) => void
  /** Rejects when nobody waits for the views any more. */
  readonly givenUp: Promise<never>
  readonly close: () => Promise<void>
}

const startProjector = ({ file, log, logger, onAway, signal }: ViewsParts): Thread => {
  const place: ProjectorPlace = { file, log }
  const worker = startThread(new URL('./projector.ts', import.meta.url), place)
  const { promise: givenUp, reject: giveUp } = Promise.withResolvers<never>()
  givenUp.catch(() => undefined)
  signal?.addEventListener('abort', () => giveUp(new GatewayError('shutting-down')), { once: true })
  let begun = false
  /** One look at a time: while it is waited for, further reports say the same. */
  let waiting = false
  const awayAtTheStart = (cause: string) => {
    if (begun || waiting || !onAway) return
    waiting = true
    onAway(new GatewayError('storage-failed', { cause })).then(() => (waiting = false), giveUp)
  }
  const state = viewsState(logger)
  const over = Promise.withResolvers<undefined>()
  const broken = Promise.withResolvers<Stop>()
  const tell = (report: ProjectorReport) => {
    state.on(report)
    // Opened anew, they would stop at the same event; and the mailboxes are followed.
    if (report.type === 'stopped' && !report.event) broken.resolve(report)
  }
  worker.on('message', (report: ProjectorReport) => {
    if (report.type === 'closed') over.resolve(undefined)
    else {
      if (report.type === 'stalled') awayAtTheStart(report.reason)
      tell(report)
    }
  })
  worker.on('error', (error: unknown) => state.ended(String(error)))
  worker.on('exit', () => {
    const reason = 'the thread has ended'
    state.ended(reason)
    over.resolve(undefined)
    broken.resolve({ reason, corrupt: false })
  })
  void state.begun.then(() => (begun = true))
  return {
    state,
    broken: broken.promise,
    breaks: (reason) => tell({ type: 'stopped', reason, corrupt: true, event: undefined }),
    givenUp,
    close: async () => {
      state.close()
      worker.postMessage('close')
      const timer = setTimeout(() => over.resolve(undefined), closeWithin)
      await over.promise
      clearTimeout(timer)
      await worker.terminate()
    },
  }
}

const viewsOf = ({ state, broken, breaks, close }: Thread, file: string): BreakableViews => {
  const db = openReader(file)
  const closed = () => state.status().state === 'closed'
  let isCondemned = false
  return {
    broken,
    reader: guarded(viewReader(db), closed, (error) => {
      if (isCondemned || !isCorrupt(error)) return
      isCondemned = true
      condemn(file)
      breaks(String(error))
    }),
    visible: state.visible,
    mailboxesVisible: state.mailboxesVisible,
    status: state.status,
    close: async () => {
      if (closed()) return
      // Before the writer's: the last one to close puts everything into the one file, and a reader cannot.
      db.close()
      await close()
    },
  }
}

const openReader = (file: string) => {
  try {
    return new DatabaseSync(file, { readOnly: true, timeout: 1000 })
  } catch (cause) {
    throw new GatewayError('start-refused', { detail: `The views ${file} cannot be read`, cause })
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
    columns: (sql, ...values) => guard(() => reader.columns(sql, ...values)),
  }
}
