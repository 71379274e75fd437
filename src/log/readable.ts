import { GatewayError } from '../core/errors.ts'
import type { Metadata, Recorded } from '../core/events.ts'
import { currentVersion, positionOf, type StoredEvent } from './storedEvent.ts'

/**
 * The one edge where stored events become facts, and the place for upcasts of older versions. Throws
 * `event-unreadable` for a type or version that this gateway does not know: an event is never skipped.
 */
export const readable = (stored: StoredEvent): Recorded => {
  const { id, stream, revision, type, recordedAt } = stored
  const position = positionOf(stored.position)
  // The cast is checked where it matters here, in the next lines; the rest was typed when it was appended.
  const metadata = parsed(stored, 'metadata') as Metadata
  const version: unknown = (metadata as Partial<Metadata> | null)?.version
  if (!isReadable(type, version)) throw unreadable(stored, String(version))
  const data = parsed(stored, 'data')
  // `append` takes only typed facts of the current version, and every older version is brought up to it here.
  return { id, stream, revision, position, type, data, metadata, recordedAt } as Recorded
}

const isReadable = (type: string, version: unknown): boolean => {
  const newest = currentVersion(type)
  return newest !== undefined && Number.isInteger(version) && Number(version) >= 1 && Number(version) <= newest
}

const parsed = (stored: StoredEvent, field: 'data' | 'metadata'): unknown => {
  try {
    return JSON.parse(stored[field])
  } catch (cause) {
    throw unreadable(stored, `not known, because its ${field} is not JSON`, cause)
  }
}

const unreadable = ({ position, type }: StoredEvent, version: string, cause?: unknown) =>
  new GatewayError('event-unreadable', {
    detail: `The event at position ${positionOf(position)}, type ${type}, version ${version}, cannot be read by this gateway`,
    cause,
  })
