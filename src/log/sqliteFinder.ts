import { type EventFilter, matches } from '../core/eventFilter.ts'
import type { EventFinder, Look } from '../core/eventSearch.ts'
import type { Recorded } from '../core/events.ts'
import { readable } from './readable.ts'
import { read } from './sqliteReader.ts'
import type { Database } from './sqliteWriter.ts'
import { numberOf, positionOf, type StoredEvent } from './storedEvent.ts'

/**
 * Looks through a range of positions, which have no gaps. The metadata's words are looked for as the JSON text that they
 * are: what only looks like them is left out when it is read.
 */
const found = `select position, stream, revision, id, type, data, metadata, recordedAt from event
  where position > ?1 and position <= ?2 and (?3 is null or type = ?3) and (?4 is null or instr(metadata, ?4) > 0)
    and (?5 is null or instr(metadata, ?5) > 0) and (?6 is null or recordedAt >= ?6)
  order by position limit ?7`

const textOf = (word: string | undefined) => (word === undefined ? null : JSON.stringify(word))

export const sqliteFinder = (db: Database): EventFinder['findEvents'] => {
  const select = db.prepare(found)
  const head = db.prepare('select max(position) as position from event')
  const firstPast = db.prepare(
    'select position from event where position > ? and position <= ? and recordedAt > ? order by position limit 1',
  )
  /** The last position that may be looked at, and whether nothing follows it. */
  const endOf = ({ filter: { until }, after, scanned }: Look) => {
    const from = numberOf(after)
    const last = Number(head.get()?.['position'] ?? 0)
    const to = Math.min(from + scanned, last)
    const past = until && firstPast.get(from, to, until.toISOString())?.['position']
    return past === undefined ? { to, isLast: to === last } : { to: Number(past) - 1, isLast: true }
  }
  const rowsOf = ({ type, principal, correlation, since }: EventFilter, from: number, to: number, limit: number) => {
    const words = [type ?? null, textOf(principal), textOf(correlation), since?.toISOString() ?? null]
    // The cast is the statement's columns and the table's strict types.
    return select.all(from, to, ...words, limit) as readonly unknown[] as readonly StoredEvent[]
  }
  return (look) =>
    Promise.try(() => {
      const { filter, after, limit } = look
      const [{ to, isLast }, rows] = read(() => {
        const end = endOf(look)
        return [end, rowsOf(filter, numberOf(after), end.to, limit + 1)] as const
      })
      const shown = rows.slice(0, limit)
      const { events, cutShort } = asFarAsTheyAre(shown)
      const isFull = cutShort || rows.length > limit
      const next = isFull ? events.at(-1)?.position : isLast ? undefined : positionOf(to)
      return { events: events.filter((event) => matches(filter, event)), next }
    })
}

/** Throws what makes the first one unreadable. */
const asFarAsTheyAre = (rows: readonly StoredEvent[]) => {
  const events: Recorded[] = []
  for (const row of rows) {
    try {
      events.push(readable(row))
    } catch (error) {
      if (events.length === 0) throw error
      return { events, cutShort: true }
    }
  }
  return { events, cutShort: false }
}
