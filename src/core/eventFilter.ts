import { type EventType, eventVersions, type Principal, type Recorded } from './events.ts'
import type { Position } from './ids.ts'
import { streamCategories, type StreamName } from './streams.ts'

/** Which events somebody wants to see. Times are the log's own, both ends included. */
export type EventFilter = {
  readonly stream?: StreamName | undefined
  readonly type?: EventType | undefined
  /** Who caused it. */
  readonly principal?: Principal | undefined
  /** The session or request that it belongs to. */
  readonly correlation?: string | undefined
  readonly since?: Date | undefined
  readonly until?: Date | undefined
}

export const isEventType = (text: string): text is EventType => Object.hasOwn(eventVersions, text)

const streamPattern = new RegExp(`^(?:${streamCategories.join('|')})-[\\x21-\\x7e]{1,200}$`)
export const isStreamName = (text: string): text is StreamName => streamPattern.test(text)

const principalPattern = /^(system|(peer|administrator|token|local):[\x21-\x7e]{1,200})$/
export const isPrincipal = (text: string): text is Principal => principalPattern.test(text)

const correlationPattern = /^[\x21-\x7e]{1,200}$/
export const isCorrelation = (text: string): boolean => correlationPattern.test(text)

const positionPattern = /^[\x21-\x7e]{1,64}$/
/** Whether it could be a position: which ones there are is each log's own to say. */
export const isPosition = (text: string): text is Position => positionPattern.test(text)

const timePattern = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/
/** An ISO 8601 date (its first moment, UTC) or a date and time with its zone; undefined for anything else. */
export const timeOf = (text: string): Date | undefined => {
  const [, date = ''] = timePattern.exec(text) ?? []
  // `Date` takes the 30th of February for the 2nd of March.
  if (new Date(date).getUTCDate() !== Number(date.slice(8))) return undefined
  const time = new Date(text)
  return Number.isNaN(time.getTime()) ? undefined : time
}

export const matches = (
  { stream, type, principal, correlation, since, until }: EventFilter,
  event: Recorded,
): boolean =>
  (stream === undefined || event.stream === stream) &&
  (type === undefined || event.type === type) &&
  (principal === undefined || event.metadata.principal === principal) &&
  (correlation === undefined || event.metadata.$correlationId === correlation) &&
  (since === undefined || new Date(event.recordedAt) >= since) &&
  (until === undefined || new Date(event.recordedAt) <= until)

/** As of a time means the log before its first event that is later: from such an event on nothing is to be seen. */
export const isPast = ({ until }: EventFilter, event: Recorded): boolean =>
  until !== undefined && new Date(event.recordedAt) > until
