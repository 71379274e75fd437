import type { StatementSync } from 'node:sqlite'
import { GatewayError } from '../core/errors.ts'
import type { Recorded } from '../core/events.ts'
import type { EventLog } from '../core/ports.ts'
import type { CategoryReader } from './byCategory.ts'
import { readable } from './readable.ts'
import type { Database } from './sqliteWriter.ts'
import { numberOf, positionOf, type StoredEvent } from './storedEvent.ts'

const columns = 'position, stream, revision, id, type, data, metadata, recordedAt'

/** The reading half of the port over a database. What SQLite cannot read is `storage-failed`. */
export const sqliteReader = (db: Database): Pick<EventLog, 'readStream' | 'readLast' | 'readAll' | 'head'> => {
  const ofStream = db.prepare(
    `select ${columns} from event where stream = ? and revision >= ? order by revision limit ?`,
  )
  const lastOf = db.prepare(`select ${columns} from event where stream = ? order by revision desc limit 1`)
  const ofAll = db.prepare(`select ${columns} from event where position > ? order by position limit ?`)
  const last = db.prepare('select max(position) as position from event')
  return {
    readStream: (stream, revision, limit) => Promise.try(() => events(ofStream, stream, revision, limit)),
    readLast: (stream) => Promise.try(() => events(lastOf, stream)[0]),
    readAll: (position, limit) => Promise.try(() => events(ofAll, numberOf(position), limit)),
    head: () => Promise.try(() => positionOf(read(() => Number(last.get()?.['position'] ?? 0)))),
  }
}

/** Finds streams by the index on them, so that the categories which are most of the log are not looked at. */
export const sqliteCategoryReader = (db: Database): CategoryReader['readCategories'] => {
  const prepared = new Map<string, StatementSync>()
  const statementFor = (count: number) => {
    const streams = Array.from({ length: count }, () => 'stream >= ? and stream < ?').join(' or ')
    // The `+` keeps SQLite from going through all positions for the sake of their order.
    const sql = `select ${columns} from event where (${streams}) and position > ? and position <= ?
      order by +position limit ?`
    const statement = prepared.get(sql) ?? db.prepare(sql)
    prepared.set(sql, statement)
    return statement
  }
  return ({ categories, after, to, limit }) =>
    Promise.try(() => {
      // A stream's name is its category, `-` and an id; `.` is what follows `-` in ASCII.
      const ranges = categories.flatMap((category) => [`${category}-`, `${category}.`])
      return events(statementFor(categories.length), ...ranges, numberOf(after), numberOf(to), limit)
    })
}

const events = (statement: StatementSync, ...parameters: (string | number)[]): readonly Recorded[] =>
  // The cast is the statement's columns and the table's strict types.
  read(() => statement.all(...parameters) as readonly unknown[] as readonly StoredEvent[]).map(readable)

/** What SQLite cannot read is `storage-failed`. */
export const read = <T>(work: () => T): T => {
  try {
    return work()
  } catch (cause) {
    throw new GatewayError('storage-failed', { cause })
  }
}
