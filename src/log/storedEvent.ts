import { eventId, type EventId, origin, type Position } from '../core/ids.ts'
import { GatewayError } from '../core/errors.ts'
import { eventVersions, type EventType, type NewEvent } from '../core/events.ts'
import type { Append, Appended, Expected } from '../core/ports.ts'
import type { StreamName } from '../core/streams.ts'

/** An event as the memory and SQLite adapters keep it: JSON as text, the position as a number that counts from 1. */
export type StoredEvent = {
  readonly position: number
  readonly stream: StreamName
  readonly revision: number
  readonly id: EventId
  readonly type: string
  readonly data: string
  readonly metadata: string
  readonly recordedAt: string
}

/** An append that has been checked and turned into text: later changes of the caller's objects do not reach it. */
export type Storable = {
  readonly stream: StreamName
  readonly expected: Expected
  readonly events: readonly StorableEvent[]
  readonly octets: number
}
type StorableEvent = Pick<StoredEvent, 'id' | 'type' | 'data' | 'metadata'>

/** Octets of JSON in one append. EventStoreDB refuses more than 1 MiB with its own framing; all adapters share this. */
const appendLimit = 900 * 1024

/** Throws `not-written` for an append that no log may take: empty, too large, or unreadable by this very version. */
export const storable = ({ stream, expected, commandId, events }: Append): Storable => {
  if (events.length === 0) throw notWritten('an append without events')
  const stored = events.map((event, index) => storableEvent(event, eventId(commandId, index)))
  const octets = stored.reduce(
    (sum, { data, metadata }) => sum + Buffer.byteLength(data) + Buffer.byteLength(metadata),
    0,
  )
  if (octets > appendLimit) throw notWritten(`an append of ${octets} octets is over the limit of ${appendLimit}`)
  return { stream, expected, events: stored, octets }
}

const storableEvent = ({ type, data, metadata }: NewEvent, id: EventId): StorableEvent => {
  if (metadata.version !== currentVersion(type)) throw notWritten(`${type} has no version ${metadata.version}`)
  return { id, type, data: JSON.stringify(data), metadata: JSON.stringify(metadata) }
}

/** The version that this gateway writes of an event type; undefined for a type that it does not know. */
export const currentVersion = (type: string): number | undefined =>
  // The cast is what `hasOwn` has just shown.
  Object.hasOwn(eventVersions, type) ? eventVersions[type as EventType] : undefined

export const notWritten = (reason: string) => new GatewayError('not-written', { cause: new Error(reason) })

/** Whether a stream whose last revision is `current` (-1 when it does not exist) refuses an append. */
export const conflicts = (expected: Expected, current: number): boolean => {
  if (expected === 'any') return false
  return current !== (expected === 'no-stream' ? -1 : expected)
}

/** Sixteen digits hold every safe integer, so that positions compare as strings. */
export const positionOf = (number: number) => (number === 0 ? origin : String(number).padStart(16, '0')) as Position

/** Throws `request-invalid` for what is no position of this kind of log. */
export const numberOf = (position: Position): number => {
  if (position === origin) return 0
  if (/^\d{16}$/.test(position)) return Number(position)
  throw new GatewayError('request-invalid', { detail: `Not a position of this log: ${position}` })
}

/** How many events lie after one position up to another; undefined for positions that do not count events. */
export const eventsBetween = (from: Position, to: Position): number | undefined =>
  [from, to].every((position) => position === origin || /^\d{16}$/.test(position))
    ? Number(to) - Number(from)
    : undefined

/** What the append that wrote `last` as its last event was answered with. */
export const appendedBy = (last: Pick<StoredEvent, 'revision' | 'position'>): Appended => ({
  revision: last.revision,
  position: positionOf(last.position),
})

/** The log's time for the next events: the clock's, but never before that of the last event (ISO 8601). */
export const timeAfter = (last: string, now: Date): string => {
  const time = now.toISOString()
  return time > last ? time : last
}
