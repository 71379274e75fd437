import type { EventFilter } from './eventFilter.ts'
import { isPast } from './eventFilter.ts'
import type { Recorded } from './events.ts'
import type { Position } from './ids.ts'

/**
 * A moment of the log: its prefix up to and with the event at a position, its prefix before the first event whose
 * log-assigned time is later than a time, or all of it.
 */
export type Moment = { readonly position: Position } | { readonly time: Date } | 'now'

/** How many of these events, which follow one another in the log, belong to the moment. */
export const countWithin = (moment: Moment, events: readonly Recorded[]): number => {
  if (moment === 'now') return events.length
  const isLater = laterThan(moment)
  const first = events.findIndex(isLater)
  return first === -1 ? events.length : first
}

const laterThan = (moment: Exclude<Moment, 'now'>) => {
  if ('position' in moment) return ({ position }: Recorded) => position > moment.position
  const filter: EventFilter = { until: moment.time }
  return (event: Recorded) => isPast(filter, event)
}
