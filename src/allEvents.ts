import { asFarAsReadable } from './core/asFarAsReadable.ts'
import type { Recorded } from './core/events.ts'
import { origin, type Position } from './core/ids.ts'
import type { EventLog } from './core/ports.ts'

/**
 * Every event of the log in order, after `position`; a page at a time in memory. Throws `UnreadableEvent` for one that
 * cannot be read, after everything before it.
 */
export async function* allEvents(
  log: Pick<EventLog, 'readAll'>,
  position: Position = origin,
): AsyncGenerator<Recorded, void, undefined> {
  for (let after = position; ;) {
    const { events } = await asFarAsReadable((limit) => log.readAll(after, limit), 1000)
    yield* events
    const last = events.at(-1)
    if (!last) return
    after = last.position
  }
}
