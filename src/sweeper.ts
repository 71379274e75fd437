import { asGatewayError, GatewayError } from './core/errors.ts'
import type { Logger } from './core/ports.ts'
import type { Retention } from './retention.ts'

export type SweeperParts = {
  readonly retention: Pick<Retention, 'sweep'>
  /** Resolves when the views have come up to the start, however long that takes; rejects when they have stopped. */
  ready(signal: AbortSignal): Promise<unknown>
  /** Seconds from the end of one sweep to the next. */
  readonly every: number
  /** Why nothing is to be destroyed now; undefined where nothing speaks against it. Asked before each sweep. */
  readonly obstacle?: () => string | undefined
  readonly logger: Logger
}

/** Sweeps now, and again and again. `close` resolves when what it was at is done; what is left waits for the next start. */
export const startSweeper = ({
  retention,
  ready,
  every,
  obstacle,
  logger,
}: SweeperParts): { close(): Promise<void> } => {
  const closing = new AbortController()
  const { signal } = closing
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  const destroy = async () => {
    await ready(signal)
    const messages = await retention.sweep(signal)
    if (messages > 0) logger.info({ messages }, 'Messages whose time had come were destroyed')
  }
  const sweep = async () => {
    try {
      const reason = obstacle?.()
      if (reason !== undefined) logger.warn({ reason }, 'Nothing is destroyed')
      else await destroy()
    } catch (error) {
      if (signal.aborted || asGatewayError(error).code === 'shutting-down') return
      logger.warn({ err: error }, 'Messages whose time has come could not all be destroyed; this is tried again')
    }
    if (!signal.aborted) timer = setTimeout(begin, every * 1000).unref()
  }
  const begin = () => {
    running = sweep()
  }
  begin()
  return {
    close: async () => {
      closing.abort(new GatewayError('shutting-down'))
      clearTimeout(timer)
      await running
    },
  }
}
