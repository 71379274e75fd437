import type { DatabaseSync } from 'node:sqlite'
import { GatewayError } from '../core/errors.ts'
import type { Appended, Clock } from '../core/ports.ts'
import type { CommitLog } from './groupCommit.ts'
import { failureBeforeCommit, failureOfCommit, isFull } from './sqliteErrors.ts'
import { checkpoint } from './sqliteFile.ts'
import { appendedBy, conflicts, notWritten, type Storable, type StoredEvent, timeAfter } from './storedEvent.ts'

/** What the writer needs of a database; tests put failures in between. */
export type Database = Pick<DatabaseSync, 'exec' | 'prepare' | 'close' | 'isTransaction'>

/** Pages in the write-ahead log after which they go into the database: fewer fsync more, more make it grow (measured). */
const checkpointInterval = 2_000

/** Writes batches of appends, each batch in one transaction with one fsync. */
export const sqliteWriter = (db: Database, clock: Clock): CommitLog => {
  const put = appendPutter(db)
  const last = db.prepare('select position, recordedAt from event order by position desc limit 1')
  return {
    write: (batch) => {
      const outcomes = beforeCommit(db, () => {
        db.exec('begin immediate')
        // The cast is the statement's columns.
        const { position, recordedAt } = (last.get() ?? { position: 0, recordedAt: '' }) as LastEvent
        const tail: Tail = { position, recordedAt: timeAfter(recordedAt, clock.now()) }
        return batch.map((append) => put(append, tail))
      })
      commit(db)
      return outcomes
    },
    tidy: checkpointer(db),
    finish: () => checkpoint(db),
  }
}

type LastEvent = Pick<StoredEvent, 'position' | 'recordedAt'>
/** The end of the log within a running transaction. */
type Tail = { position: number; readonly recordedAt: string }

const appendPutter = (db: Database) => {
  const lastOf = db.prepare('select revision from event where stream = ? order by revision desc limit 1')
  const byId = db.prepare('select revision, position from event where stream = ? and id = ?')
  const insert = db.prepare(
    'insert into event (position, stream, revision, id, type, data, metadata, recordedAt) values (?, ?, ?, ?, ?, ?, ?, ?)',
  )
  // The casts are the statements' columns.
  const find = (stream: string, id: string | undefined) =>
    byId.get(stream, id ?? '') as Pick<StoredEvent, 'revision' | 'position'> | undefined
  const lastRevision = (stream: string) => (lastOf.get(stream)?.['revision'] as number | undefined) ?? -1

  return ({ stream, expected, events }: Storable, tail: Tail): Appended | GatewayError => {
    let revision = lastRevision(stream)
    if (revision >= 0 && find(stream, events[0]?.id) !== undefined) {
      const earlier = find(stream, events.at(-1)?.id)
      return earlier === undefined ? notWritten('the command id was used for another append') : appendedBy(earlier)
    }
    if (conflicts(expected, revision)) return new GatewayError('revision-conflict')
    for (const { id, type, data, metadata } of events) {
      insert.run(++tail.position, stream, ++revision, id, type, data, metadata, tail.recordedAt)
    }
    return appendedBy({ revision, position: tail.position })
  }
}

const beforeCommit = <T>(db: Database, work: () => T): T => {
  try {
    return work()
  } catch (error) {
    rollBack(db)
    throw failureBeforeCommit(error)
  }
}

const commit = (db: Database) => {
  try {
    db.exec('commit')
  } catch (error) {
    rollBack(db)
    throw failureOfCommit(error)
  }
}

/** SQLite itself rolls back after some errors. One that cannot be rolled back makes every next BEGIN fail. */
const rollBack = (db: Database) => {
  try {
    if (db.isTransaction) db.exec('rollback')
  } catch {
    // The failure that led here is the one to report.
  }
}

/** Moves pages from the write-ahead log into the database when many have gathered. Throws when that has failed. */
const checkpointer = (db: Database) => {
  const look = db.prepare('pragma wal_checkpoint(noop)')
  const move = db.prepare('pragma wal_checkpoint(passive)')
  let due = checkpointInterval
  let seen = 0
  return () => {
    const pages = Number(look.get()?.['log'])
    // Fewer than before: the write-ahead log has begun anew.
    if (pages < seen) due = checkpointInterval
    seen = pages
    if (pages < due) return
    // Long readers keep the write-ahead log from beginning anew: not every commit may try again.
    due = pages + checkpointInterval
    try {
      move.get()
    } catch (cause) {
      if (!isFull(cause)) throw new GatewayError('storage-failed', { cause })
    }
  }
}
