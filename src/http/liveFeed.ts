import { setTimeout as delay } from 'node:timers/promises'
import { asFarAsReadable } from '../core/asFarAsReadable.ts'
import { asGatewayError, GatewayError } from '../core/errors.ts'
import type { Principal, Recorded } from '../core/events.ts'
import type { Position } from '../core/ids.ts'
import type { EventLog } from '../core/ports.ts'

/** One who listens. */
export type Listener = {
  /** Every event after this one is heard. */
  readonly from: Position
  /**
   * What has come since the last call, in order; waits for it for at most so many milliseconds, then there is nothing.
   * Undefined once the feed has ended. Throws why it ended early: `overloaded` for who takes too slowly, or what the log
   * rejects with.
   */
  heard(within: number): Promise<readonly Recorded[] | undefined>
  leave(): void
  /** Aborts when the feed has ended for this one, for whatever reason. */
  readonly ended: AbortSignal
}

export type Joining = {
  readonly principal: Principal
  /** Called when more waits for the listener than is kept. */
  readonly tooSlow: () => unknown
}

/** What is new in the log, read once for all who listen, and only while somebody does. */
export type LiveFeed = {
  /** Rejects with `overloaded` when too many listen, or too many of one principal's, or what the log rejects with. */
  join(joining: Joining): Promise<Listener>
  close(): void
}

export type LiveFeedParts = {
  readonly log: Pick<EventLog, 'readAll' | 'head'>
  /** Milliseconds between looks at the log. */
  readonly every?: number
}

/** Events read at once, and events that wait for one listener: more, and he is let go. */
const pageSize = 500
const maxWaiting = 2000
/** Streams that browsers and programs hold open, and that one principal does. */
const maxListeners = 100
const maxOfOne = 20

type Waiting = Joining & {
  events: Recorded[]
  ended: { readonly because: GatewayError | undefined } | undefined
  wake: () => void
  readonly gone: AbortController
}

export const liveFeed = ({ log, every = 250 }: LiveFeedParts): LiveFeed => {
  const listeners = new Set<Waiting>()
  let position: Promise<Position> | undefined
  let closing = new AbortController()

  const end = (listener: Waiting, because?: GatewayError) => {
    listener.ended ??= { because }
    listeners.delete(listener)
    listener.gone.abort()
    listener.wake()
  }
  const tell = (events: readonly Recorded[]) => {
    for (const listener of listeners) {
      listener.events.push(...events)
      if (listener.events.length <= maxWaiting) listener.wake()
      else {
        end(listener, new GatewayError('overloaded'))
        listener.tooSlow()
      }
    }
  }
  const run = async (from: Position, signal: AbortSignal) => {
    let at = from
    while (!signal.aborted && listeners.size > 0) {
      const { events } = await asFarAsReadable((limit) => log.readAll(at, limit), pageSize)
      const last = events.at(-1)
      if (last) {
        at = last.position
        position = Promise.resolve(at)
        tell(events)
      }
      if (events.length < pageSize) await delay(every, undefined, { signal }).catch(() => undefined)
    }
  }
  const begin = () => {
    closing = new AbortController()
    const { signal } = closing
    const began = log.head()
    position = began
    const ended = (because?: GatewayError) => {
      if (!signal.aborted) position = undefined
      for (const listener of [...listeners]) end(listener, because)
    }
    void began
      .then((from) => run(from, signal))
      .then(
        () => ended(),
        (error: unknown) => ended(asGatewayError(error)),
      )
    return began
  }

  return {
    join: async (joining) => {
      const own = [...listeners].filter(({ principal }) => principal === joining.principal)
      if (own.length >= maxOfOne || listeners.size >= maxListeners) {
        const whose = own.length >= maxOfOne ? 'of yours ' : ''
        const detail = `Too many live streams ${whose}are open: close one, or try again later`
        throw new GatewayError('overloaded', { detail })
      }
      const gone = new AbortController()
      const waiting: Waiting = { ...joining, events: [], ended: undefined, wake: () => undefined, gone }
      listeners.add(waiting)
      let from: Position
      try {
        from = await (position ?? begin())
      } catch (error) {
        listeners.delete(waiting)
        throw error
      }
      return {
        from,
        heard: async (within) => {
          if (waiting.events.length === 0 && !waiting.ended) {
            const { promise, resolve } = Promise.withResolvers<undefined>()
            waiting.wake = () => resolve(undefined)
            const timer = setTimeout(waiting.wake, within)
            await promise
            clearTimeout(timer)
          }
          if (waiting.ended?.because) throw waiting.ended.because
          if (waiting.events.length === 0) return waiting.ended ? undefined : []
          return waiting.events.splice(0).filter((event) => event.position > from)
        },
        leave: () => end(waiting),
        ended: gone.signal,
      }
    },
    close: () => {
      closing.abort()
      position = undefined
      for (const listener of [...listeners]) end(listener)
    },
  }
}
