import type { Recorded } from './core/events.ts'
import { origin, type Position } from './core/ids.ts'
import type { EventLog } from './core/ports.ts'

/** Every event of the log in order, after `position`; a page at a time in memory. */
export async function* allEvents(
  log: Pick<EventLog, 'readAll'>,
  position: Position = origin,
): AsyncGenerator<Recorded, void, undefined> {
  for (let after = position; ;) {
    const page = await log.readAll(after, 1000)
    yield* page
    const last = page.at(-1)
    if (!last) return
    after = last.position
  }
}
