import { DatabaseSync } from 'node:sqlite'
import { type ViewReader, viewReader } from '../../projections/projection.ts'
import { GatewayError } from '../core/errors.ts'
import type { Position } from '../core/ids.ts'
import type { Logger } from '../core/ports.ts'
// A whole-statement type import: the other form would run the thread's file in this thread too.
import type { ProjectorPlace, ProjectorReport } from './projector.ts'
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

export type ViewsParts = ProjectorPlace & { readonly logger: Logger }

/** Milliseconds after which a thread that does not close is ended. */
const closeWithin = 10_000

/**
 * Starts the thread that folds the log into the views; resolves when the mailboxes are all that the log says, and the
 * other views too unless that takes long or an event stops them. Rejects with `start-refused`, saying why, if the
 * mailboxes cannot be known: their mail would be refused.
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
  const begun = await thread.state.begun
  try {
    if (begun === 'open') return viewsOf(thread, place.file, logger)
  } catch (error) {
    await thread.close()
    throw new GatewayError('start-refused', { detail: `The views ${place.file} cannot be read`, cause: error })
  }
  await thread.close()
  return begun
}

type Thread = { readonly state: ViewsState; readonly close: () => Promise<void> }

const startProjector = (place: ProjectorPlace, logger: Logger): Thread => {
  const worker = startThread(new URL('./projector.ts', import.meta.url), place)
  const state = viewsState(logger)
  const over = Promise.withResolvers<undefined>()
  worker.on('message', (report: ProjectorReport) => {
    if (report.type === 'closed') over.resolve(undefined)
    else state.on(report)
  })
  worker.on('error', (error: unknown) => state.ended(String(error)))
  worker.on('exit', () => {
    state.ended('the thread has ended')
    over.resolve(undefined)
  })
  return {
    state,
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

const viewsOf = ({ state, close }: Thread, file: string, logger: Logger): Views => {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 1000 })
  const closed = () => state.status().state === 'closed'
  return {
    reader: guarded(viewReader(db), closed, (error) => {
      if (!isCorrupt(error)) return
      logger.error({ err: error }, 'views.db is corrupt: it is built anew at the next start')
      condemn(file)
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
