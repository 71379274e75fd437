import { asFarAsReadable } from '../core/asFarAsReadable.ts'
import { GatewayError } from '../core/errors.ts'
import { type EventFilter, isPast, matches } from '../core/eventFilter.ts'
import { type EventFinder, findEvents } from '../core/eventSearch.ts'
import type { Recorded } from '../core/events.ts'
import { origin, type Position } from '../core/ids.ts'
import type { EventLog } from '../core/ports.ts'
import type { StreamName } from '../core/streams.ts'

type Reader = Pick<EventLog, 'readAll' | 'readStream'> & Partial<EventFinder>

export type EventPage = {
  readonly events: readonly Recorded[]
  /** What to give as `after` for what follows; undefined when there is nothing. */
  readonly next: string | undefined
}

type Request = { readonly after: string | undefined; readonly limit: number }

/** Events looked at for one page, whatever of them the filter lets through: bounds the work of a request. */
const scanned = 1_000

/**
 * The next events that match, at most `limit`; a page may hold fewer, even none, and yet have a next one. Throws
 * `UnreadableEvent` for an event that cannot be read, once the pages before have given everything that stands before it.
 */
export const eventPage = (log: Reader, filter: EventFilter, request: Request): Promise<EventPage> => {
  const { stream } = filter
  if (stream !== undefined) return streamPage(log, { ...filter, stream }, request)
  const { after, limit } = request
  return findEvents(log, { filter, after: (after ?? origin) as Position, scanned: lookedAt(filter, limit), limit })
}

/** Where everything matches, no more than what is shown, and whether there is more. */
const lookedAt = ({ type, principal, correlation, since }: EventFilter, limit: number) =>
  [type, principal, correlation, since].every((one) => one === undefined) ? limit + 1 : scanned

const streamPage = async (
  log: Reader,
  filter: EventFilter & { readonly stream: StreamName },
  { after, limit }: Request,
): Promise<EventPage> => {
  const wanted = lookedAt(filter, limit)
  const from = after === undefined ? 0 : revisionAfter(after)
  const { events: read, cutShort } = await asFarAsReadable(
    (count) => log.readStream(filter.stream, from, count),
    wanted,
  )
  const isLast = !cutShort && read.length < wanted
  const events: Recorded[] = []
  for (const event of read) {
    if (isPast(filter, event)) return { events, next: undefined }
    if (matches(filter, event)) events.push(event)
    if (events.length === limit)
      return { events, next: event === read.at(-1) && isLast ? undefined : String(event.revision) }
  }
  const last = read.at(-1)
  return { events, next: last === undefined || isLast ? undefined : String(last.revision) }
}

const revisionAfter = (cursor: string) => {
  if (!/^\d{1,15}$/.test(cursor)) throw new GatewayError('request-invalid', { detail: 'No page has given this cursor' })
  return Number(cursor) + 1
}
