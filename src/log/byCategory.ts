import { asFarAsReadable, type Readable } from '../core/asFarAsReadable.ts'
import type { Recorded } from '../core/events.ts'
import type { Position } from '../core/ids.ts'
import type { EventLog } from '../core/ports.ts'
import type { StreamCategory, StreamName } from '../core/streams.ts'

/** Which events: those of the categories' streams after `after`, up to and with `to`, at most `limit`. */
export type Wanted = {
  readonly categories: readonly StreamCategory[]
  readonly after: Position
  readonly to: Position
  readonly limit: number
}

/** A log that finds the events of some categories without reading the others. */
export type CategoryReader = { readCategories(wanted: Wanted): Promise<readonly Recorded[]> }

/** The next events of some categories, in the log's order; empty when there are no more. Any log can tell them, some at once. */
export const readCategories = async (
  log: Pick<EventLog, 'readAll'> & Partial<CategoryReader>,
  wanted: Wanted,
): Promise<readonly Recorded[]> => {
  const { readCategories: atOnce } = log
  const { events } = atOnce
    ? await asFarAsReadable((limit) => atOnce({ ...wanted, limit }), wanted.limit)
    : await search(log, wanted)
  return events
}

const search = async (log: Pick<EventLog, 'readAll'>, { categories, after, to, limit }: Wanted): Promise<Readable> => {
  for (let from = after; ;) {
    const { events, cutShort } = await asFarAsReadable((limit) => log.readAll(from, limit), limit)
    const last = events.at(-1)
    const found = events.filter(({ stream, position }) => position <= to && categories.includes(categoryOf(stream)))
    if (found.length > 0 || last === undefined || last.position >= to) return { events: found, cutShort }
    from = last.position
  }
}

export const categoryOf = (stream: StreamName) => stream.slice(0, stream.indexOf('-')) as StreamCategory
