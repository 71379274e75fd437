import { setTimeout as delay } from 'node:timers/promises'
import { GatewayError } from '../core/errors.ts'
import { origin } from '../core/ids.ts'
import type { Logger } from '../core/ports.ts'
import type { Views } from './views.ts'
import type { Stop, ViewsStatus } from './viewsState.ts'

/** Views that end for good when what they stand on breaks: the file, or the thread. */
export type BreakableViews = Views & {
  /** Resolves when nothing is folded any more, and opening them again may help: with why. */
  readonly broken: Promise<Stop>
}

export type RenewedParts = {
  readonly first: BreakableViews
  /** Opens them again; a corrupt file is built anew. */
  readonly open: (signal: AbortSignal) => Promise<BreakableViews | Stop>
  readonly logger: Logger
  /** Seconds before it is done, the first time and later ones: what has broken them may go on breaking them. */
  readonly pauses?: readonly [number, ...number[]]
  /** Seconds before it is tried again when they could not be opened: nobody is served until then. */
  readonly retry?: number
}

/** Milliseconds for which they have to have lived for the next time to be a first one. */
const longLife = 600_000

/** Between two files, of which nothing can be read. */
const building: ViewsStatus = {
  state: 'behind',
  position: origin,
  reason: undefined,
  event: undefined,
  progress: undefined,
  mailboxesPosition: origin,
  mailboxesKnown: false,
}

const stopped = ({ reason, event }: Stop): ViewsStatus => ({ ...building, state: 'stopped', reason, event })

/**
 * Views that are opened again whenever they break, without a new start: what is in them is in the log too. Until the mailboxes
 * are known again, who asks them gets `storage-failed`.
 */
export const renewedViews = ({ first, open, logger, pauses = [0, 10, 60, 600], retry = 10 }: RenewedParts): Views => {
  const closing = new AbortController()
  const { signal } = closing
  let current = first
  let between: ViewsStatus | undefined

  const opened = async (): Promise<BreakableViews | Stop> => {
    try {
      await current.close()
      signal.throwIfAborted()
      return await open(signal)
    } catch (error) {
      signal.throwIfAborted()
      return { reason: String(error), corrupt: false }
    }
  }
  /** Whether they are open. */
  const renew = async (pause: number): Promise<boolean> => {
    await delay(pause * 1000, undefined, { signal, ref: false })
    between = building
    logger.warn({}, 'The views are opened anew')
    const outcome = await opened()
    if ('reader' in outcome) {
      current = outcome
      between = undefined
      return true
    }
    signal.throwIfAborted()
    logger.error({ reason: outcome.reason }, 'The views could not be opened anew; this is tried again')
    between = stopped(outcome)
    return false
  }
  const { promise: closed, resolve: close } = Promise.withResolvers<undefined>()
  const renewAlways = async () => {
    for (let times = 0; ; times += 1) {
      const since = performance.now()
      const stop = await Promise.race([current.broken, closed])
      // What a damaged file says is not to be told.
      if (stop?.corrupt) between = stopped(stop)
      if (performance.now() - since > longLife) times = 0
      for (let pause = pauses[times] ?? pauses.at(-1) ?? retry; !(await renew(pause)); pause = retry);
    }
  }
  // Only closing ends it.
  const ended = renewAlways().catch(() => undefined)
  const now = (): Views => {
    if (between) throw new GatewayError('storage-failed', { cause: `the views are ${between.state}` })
    return current
  }
  return {
    reader: {
      get: (sql, ...values) => now().reader.get(sql, ...values),
      all: (sql, ...values) => now().reader.all(sql, ...values),
      columns: (sql, ...values) => now().reader.columns(sql, ...values),
    },
    visible: async (position, until) => now().visible(position, until),
    mailboxesVisible: async (position, until) => now().mailboxesVisible(position, until),
    status: () => between ?? current.status(),
    close: async () => {
      between = undefined
      closing.abort()
      close(undefined)
      await ended
      await current.close()
    },
  }
}
