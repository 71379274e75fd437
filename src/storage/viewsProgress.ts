import type { Position } from '../core/ids.ts'
import type { Logger } from '../core/ports.ts'

/** How far the views have come on their way to the log's end. */
export type Progress = {
  readonly folded: number
  /** Events that there were to fold when the views were opened; undefined where the log cannot tell. */
  readonly total: number | undefined
  readonly perSecond: number
}

/** Milliseconds between lines about a rebuild. */
const lineEvery = 3000

export type ProgressLog = {
  begin(way: Way): void
  count(events: number, at: Position): void
  /** What `begin` began; undefined when the views have caught up. */
  current(): Progress | undefined
  /** They have caught up. */
  end(): void
  /** They will not, now. */
  cancel(): void
}

type Way = {
  readonly from: Position
  readonly to: Position
  readonly rebuilt: readonly string[]
  readonly total: number | undefined
}

/** A line now and then while the views are being brought up to the log. */
export const progressLog = (logger: Logger): ProgressLog => {
  let folded = 0
  let position: Position | undefined
  let way: (Way & { readonly since: number }) | undefined
  let timer: NodeJS.Timeout | undefined
  const current = (): Progress | undefined => {
    if (!way) return undefined
    const seconds = Math.max(0.001, (performance.now() - way.since) / 1000)
    return { folded, total: way.total, perSecond: Math.round(folded / seconds) }
  }
  const cancel = () => {
    clearInterval(timer)
    way = undefined
  }
  return {
    current,
    begin: (begun) => {
      const { from, to, rebuilt, total } = begun
      cancel()
      if (from >= to) return
      way = { ...begun, since: performance.now() }
      if (rebuilt.length > 0) logger.info({ views: rebuilt, from, to, total }, 'Building views from the log')
      timer = setInterval(() => logger.info({ ...current(), position, to }, 'Building views'), lineEvery)
      timer.unref()
    },
    count: (events, at) => {
      folded += events
      position = at
    },
    end: () => {
      const done = current()
      if (done && way && way.rebuilt.length > 0) logger.info({ ...done, position }, 'The views are built')
      cancel()
    },
    cancel,
  }
}
