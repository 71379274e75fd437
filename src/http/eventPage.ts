import { asFarAsReadable } from '../core/asFarAsReadable.ts'
import { GatewayError } from '../core/errors.ts'
import { type EventFilter, isPast, matches } from '../core/eventFilter.ts'
import type { Recorded } from '../core/events.ts'
import { origin, type Position } from '../core/ids.ts'
import type { EventLog } from '../core/ports.ts'

type Reader = Pick<EventLog, 'readAll' | 'readStream'>

export type EventPage = {
  readonly events: readonly Recorded[]
  /** What to give as `after` for what follows; undefined when there is nothing. */
  readonly next: string | undefined
}

/** Events read from the log for one page, whatever of them the filter lets through: bounds the work of a request. */
const scanned = 2_000

/**
 * The next events that match, at most `limit`; a page may hold fewer, even none, and yet have a next one. Throws
 * `UnreadableEvent` for an event that cannot be read, once the pages before have given everything that stands before it.
 */
export const eventPage = async (
  log: Reader,
  filter: EventFilter,
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): Promise<EventPage> => {
  const { events: read, cutShort } = await readAfter(log, filter, after)
  const isLast = !cutShort && read.length < scanned
  const events: Recorded[] = []
  for (const event of read) {
    if (isPast(filter, event)) return { events, next: undefined }
    if (matches(filter, event)) events.push(event)
    if (events.length === limit)
      return { events, next: event === read.at(-1) && isLast ? undefined : cursorOf(filter, event) }
  }
  const last = read.at(-1)
  return { events, next: last === undefined || isLast ? undefined : cursorOf(filter, last) }
}

const readAfter = (log: Reader, { stream }: EventFilter, after: string | undefined) =>
  asFarAsReadable(
    (limit) =>
      stream === undefined
        ? log.readAll((after ?? origin) as Position, limit)
        : log.readStream(stream, after === undefined ? 0 : revisionAfter(after), limit),
    scanned,
  )

/** The log's own position, or within one stream the revision. */
const cursorOf = ({ stream }: EventFilter, { position, revision }: Recorded): string =>
  stream === undefined ? position : String(revision)

const revisionAfter = (cursor: string) => {
  if (!/^\d{1,15}$/.test(cursor)) throw new GatewayError('request-invalid', { detail: 'No page has given this cursor' })
  return Number(cursor) + 1
}
