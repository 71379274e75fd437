import type { Recorded } from '../../src/core/events.ts'
import { origin, type Position } from '../../src/core/ids.ts'
import type { EventLog } from '../../src/core/ports.ts'
import type { StreamName } from '../../src/core/streams.ts'

/** What its streams' names have in them, and where the log ended when it was begun. */
export type Corner = { readonly tag: string; readonly base: Position }

/**
 * A log that others have written to, seen as if it were empty: only what is appended by way of this view, whose streams
 * get names of their own. For a real store, which cannot be emptied between two tests.
 */
export const ownCorner = (log: EventLog, { tag, base }: Corner): EventLog => {
  const inside = (stream: StreamName): StreamName =>
    `${stream.slice(0, stream.indexOf('-'))}-${tag}-${stream.slice(stream.indexOf('-') + 1)}` as StreamName
  const isOurs = ({ stream }: Recorded) => stream.includes(`-${tag}-`)
  const outside = (event: Recorded): Recorded => ({
    ...event,
    stream: event.stream.replace(`${tag}-`, '') as StreamName,
  })
  const from = (position: Position) => (position === origin ? base : position)
  const readAll: EventLog['readAll'] = async (position, limit) => {
    const found: Recorded[] = []
    for (let after = from(position); found.length < limit;) {
      const events = await log.readAll(after, limit)
      found.push(...events.filter(isOurs))
      const last = events.at(-1)
      if (!last) break
      after = last.position
    }
    return found.slice(0, limit).map(outside)
  }
  return {
    append: (append) => log.append({ ...append, stream: inside(append.stream) }),
    readStream: async (stream, revision, limit) => (await log.readStream(inside(stream), revision, limit)).map(outside),
    readLast: async (stream) => {
      const last = await log.readLast(inside(stream))
      return last && outside(last)
    },
    readAll,
    head: async () => {
      const head = await log.head()
      return head === base ? origin : head
    },
    subscribe: (position, onEvents, onEnd) =>
      log.subscribe(from(position), (events) => onEvents(events.filter(isOurs).map(outside)), onEnd),
    close: () => log.close(),
  }
}
