import { GatewayError } from '../core/errors.ts'
import type { Metadata, Recorded } from '../core/events.ts'
import type { Position } from '../core/ids.ts'
import { currentVersion, positionOf, type StoredEvent } from './storedEvent.ts'

/**
 * The one edge where stored events become facts, and the place for upcasts of older versions. Throws
 * `event-unreadable` for a type or version that this gateway does not know: an event is never skipped.
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
  const data = parsed.data()
  // `append` takes only typed facts of the current version, and every older version is brought up to it here.
  return { id, stream, revision, position, type, data, metadata, recordedAt } as Recorded
}

const isReadable = (type: string, version: unknown): boolean => {
  const newest = currentVersion(type)
  return newest !== undefined && Number.isInteger(version) && Number(version) >= 1 && Number(version) <= newest
}

type Placed = { readonly position: Position; readonly type: string }

const parsed = (event: Placed, json: string, field: 'data' | 'metadata'): unknown => {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw notJson(event, field, cause)
  }
}

/** What to throw of an event whose `field` is no JSON. */
export const notJson = (event: Placed, field: 'data' | 'metadata', cause?: unknown) =>
  unreadable(event, `not known, because its ${field} is not JSON`, cause)

const unreadable = ({ position, type }: Placed, version: string, cause?: unknown) =>
  new GatewayError('event-unreadable', {
    detail: `The event at position ${position}, type ${type}, version ${version}, cannot be read by this gateway`,
    cause,
  })
