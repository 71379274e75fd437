import type { Stamp } from './core/events.ts'
import { type CommandId, newCommandId } from './core/ids.ts'
import type { Clock, EventLog, Logger } from './core/ports.ts'
import { withoutMapping } from './core/sourceAddress.ts'
import { gatewayStream } from './core/streams.ts'

export type Refusals = {
  /** One more refusal. `kind` is a word of the program's, never anything that a peer has typed. */
  refused(source: string, kind: string): void
  /** Writes the minutes that are over. Never rejects: what could not be written is kept for the next time. */
  flush(): Promise<void>
  /** Writes everything, the running minute too, and counts no more. Never rejects. */
  close(): Promise<void>
}

export type RefusalParts = {
  readonly node: string
  readonly log: Pick<EventLog, 'append'>
  readonly stamp: Stamp
  readonly clock: Clock
  readonly logger: Logger
}

/** Sources counted by name in one minute: what a flood from everywhere may add to the log is bounded by this. */
const maxSources = 100
/** Where further sources are counted. */
const others = 'others'
/** Minutes kept while the log is away; an hour without a log is another sort of trouble. */
const maxWaiting = 60
/** Milliseconds between looks at whether a minute is over. */
const interval = 10_000

type Counts = Map<string, Map<string, number>>
/** A minute that is over. Its command id stays the same through retries, so that it is written once. */
type Minute = { readonly minute: string; readonly counts: Counts; readonly commandId: CommandId }

/**
 * Counts refusals per source address and minute in memory, and appends them as RefusalsCounted to the gateway's own
 * stream once the minute is over: anonymous noise must not grow the log.
 */
export const countRefusals = ({ node, log, stamp, clock, logger }: RefusalParts): Refusals => {
  const waiting: Minute[] = []
  let running: { readonly minute: string; readonly counts: Counts } = {
    minute: minuteOf(clock.now()),
    counts: new Map(),
  }
  let writing = Promise.resolve()
  let closed = false

  const turn = (minute: string) => {
    if (running.counts.size > 0) waiting.push({ ...running, commandId: newCommandId() })
    running = { minute, counts: new Map() }
    for (const lost of waiting.splice(0, waiting.length - maxWaiting))
      logger.error({ minute: lost.minute, refusals: total(lost.counts) }, 'Counted refusals were dropped')
  }

  const turnIfOver = () => {
    const minute = minuteOf(clock.now())
    if (minute !== running.minute) turn(minute)
  }

  const append = ({ minute, counts, commandId }: Minute) => {
    const cause = { principal: 'system', correlationId: commandId, causationId: commandId } as const
    const events = [...counts].map(([source, kinds]) =>
      stamp({ type: 'RefusalsCounted', data: { source, minute, counts: Object.fromEntries(kinds) } }, cause),
    )
    return log.append({ stream: gatewayStream(node), expected: 'any', commandId, events })
  }

  const writeWaiting = async () => {
    try {
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        await append(next)
        // While it was being written it may have been dropped as the oldest.
        if (waiting[0] === next) waiting.shift()
      }
    } catch (error) {
      logger.warn({ err: error, minutes: waiting.length }, 'Counted refusals were not recorded')
    }
  }

  const write = () => (writing = writing.then(writeWaiting))
  const flush = () => {
    turnIfOver()
    return write()
  }
  const timer = setInterval(() => void flush(), interval).unref()

  return {
    refused: (source, kind) => {
      if (closed) return
      turnIfOver()
      count(running.counts, withoutMapping(source), kind)
    },
    flush,
    close: () => {
      closed = true
      clearInterval(timer)
      turn(minuteOf(clock.now()))
      return write()
    },
  }
}

/** The minute's start, UTC, ISO 8601. */
const minuteOf = (at: Date) => `${at.toISOString().slice(0, 16)}:00.000Z`

const count = (counts: Counts, source: string, kind: string) => {
  const name = counts.has(source) || counts.size < maxSources ? source : others
  const kinds = counts.get(name) ?? new Map<string, number>()
  counts.set(name, kinds.set(kind, (kinds.get(kind) ?? 0) + 1))
}

const total = (counts: Counts) =>
  [...counts.values()].flatMap((kinds) => [...kinds.values()]).reduce((sum, count) => sum + count, 0)
