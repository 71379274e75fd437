import type { StatementSync } from 'node:sqlite'
import { GatewayError } from '../core/errors.ts'
import type { Recorded } from '../core/events.ts'
import type { EventLog } from '../core/ports.ts'
import { readable } from './readable.ts'
import type { Database } from './sqliteWriter.ts'
import { numberOf, positionOf, type StoredEvent } from './storedEvent.ts'

/** The reading half of the port over a database. What SQLite cannot read is `storage-failed`. */
export const sqliteReader = (db: Database): Pick<EventLog, 'readStream' | 'readLast' | 'readAll' | 'head'> => {
  const columns = 'position, stream, revision, id, type, data, metadata, recordedAt'
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

const events = (statement: StatementSync, ...parameters: (string | number)[]): readonly Recorded[] =>
  // The cast is the statement's columns and the table's strict types.
  read(() => statement.all(...parameters) as readonly unknown[] as readonly StoredEvent[]).map(readable)

const read = <T>(work: () => T): T => {
  try {
    return work()
  } catch (cause) {
    throw new GatewayError('storage-failed', { cause })
  }
}
