import type { EventType, Metadata, Recorded } from '../core/events.ts'
import { type EventPlace, UnreadableEvent } from '../core/unreadableEvent.ts'
import { upcast } from '../core/upcasts.ts'
import { currentVersion, positionOf, type StoredEvent } from './storedEvent.ts'

/**
 * The one edge where stored events become facts: older versions are brought up to today's shape here. Throws
 * `UnreadableEvent` for a type or version that this gateway does not know: an event is never skipped.
 */
export const readable = (stored: StoredEvent): Recorded => {
  const place = { ...stored, position: positionOf(stored.position) }
  return factOf({
    ...place,
    data: () => parsed(place, stored.data, 'data'),
    metadata: parsed(place, stored.metadata, 'metadata'),
  })
}

/** An event of a log that has parsed its JSON. `data` is asked for once the version is known to be readable. */
export type ParsedEvent = Pick<Recorded, 'id' | 'stream' | 'revision' | 'position' | 'recordedAt'> & {
  readonly type: string
  readonly metadata: unknown
  readonly data: () => unknown
}

/** The same for what is parsed already. */
export const factOf = (parsed: ParsedEvent): Recorded => {
  const { id, stream, revision, position, type, recordedAt } = parsed
  // The cast is checked where it matters here, in the next lines; the rest was typed when it was appended.
  const metadata = parsed.metadata as Metadata
  const version: unknown = (metadata as Partial<Metadata> | null | undefined)?.version
  if (!isReadable(type, version)) throw unreadable(parsed, String(version))
  return { id, stream, revision, position, type, ...asOfToday(parsed, parsed.data(), metadata), recordedAt } as Recorded
}

const isReadable = (type: string, version: unknown): boolean => {
  const newest = currentVersion(type)
  return newest !== undefined && Number.isInteger(version) && Number(version) >= 1 && Number(version) <= newest
}

/** Data and metadata in today's shape, of an event that `isReadable`. */
const asOfToday = (event: EventPlace, data: unknown, metadata: Metadata) => {
  const version = currentVersion(event.type)
  if (version === undefined || metadata.version === version) return { data, metadata }
  try {
    return { data: upcast(event.type as EventType, metadata.version, data), metadata: { ...metadata, version } }
  } catch (cause) {
    throw unreadable(event, `${metadata.version}, which its data is not of,`, cause)
  }
}

const parsed = (event: EventPlace, json: string, field: 'data' | 'metadata'): unknown => {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw notJson(event, field, cause)
  }
}

/** What to throw of an event whose `field` is no JSON. */
export const notJson = (event: EventPlace, field: 'data' | 'metadata', cause?: unknown) =>
  unreadable(event, `not known, because its ${field} is not JSON`, cause)

const unreadable = (event: EventPlace, version: string, cause?: unknown) =>
  new UnreadableEvent(event, {
    detail: `The event at position ${event.position}, type ${event.type}, version ${version}, cannot be read by this gateway`,
    cause,
  })
