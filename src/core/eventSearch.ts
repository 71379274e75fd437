import { asFarAsReadable } from './asFarAsReadable.ts'
import { type EventFilter, isPast, matches } from './eventFilter.ts'
import type { Recorded } from './events.ts'
import type { Position } from './ids.ts'
import type { EventLog } from './ports.ts'

export type Look = {
  readonly filter: EventFilter
  readonly after: Position
  /** How many events are looked at, at most, and how many found. */
  readonly scanned: number
  readonly limit: number
}

export type Found = {
  /** Those that match, in the log's order. */
  readonly events: readonly Recorded[]
  /** Where to look on; undefined when nothing follows. */
  readonly next: Position | undefined
}

/** A log that looks where the events lie, so that those which cannot match are not read whole. */
export type EventFinder = {
  /** Rejects with `UnreadableEvent` for an event that may match, once everything before it has been found. */
  findEvents(look: Look): Promise<Found>
}

/** The next events that match, of a part of any log; those of one stream alone are better read from it. */
export const findEvents = (log: Pick<EventLog, 'readAll'> & Partial<EventFinder>, look: Look): Promise<Found> =>
  log.findEvents ? log.findEvents(look) : findByReading(log, look)

const findByReading = async (
  log: Pick<EventLog, 'readAll'>,
  { filter, after, scanned, limit }: Look,
): Promise<Found> => {
  const { events: read, cutShort } = await asFarAsReadable((count) => log.readAll(after, count), scanned)
  const past = read.findIndex((event) => isPast(filter, event))
  const events = read.slice(0, past === -1 ? undefined : past).filter((event) => matches(filter, event))
  const shown = events.slice(0, limit)
  if (events.length > limit) return { events: shown, next: shown.at(-1)?.position }
  const isLast = past !== -1 || (!cutShort && read.length < scanned)
  return { events, next: isLast ? undefined : read.at(-1)?.position }
}
