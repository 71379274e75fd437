import { DatabaseSync } from 'node:sqlite'
import { GatewayError } from '../core/errors.ts'
import { prepareDatabase } from '../disk/walDatabase.ts'
import { isFull } from './sqliteErrors.ts'

/** "SpLg": what `file` and `pragma application_id` show of a log. */
const applicationId = 0x53_70_4c_67
const schemaVersion = 1
/** Milliseconds to wait for another connection's lock (a backup, a check) before the append is `not-written`. */
const lockTimeout = 5_000

/**
 * Written so that the sqlite3 tool's `.schema` explains the file to an auditor.
 * No index on `id` alone: event ids are random, and an index of random keys dirties a page per event, which took the
 * rate of large batches to a third. Within its stream an id is found by a key whose neighbours were written lately.
 */
const schema = `
create table event (
  -- Every fact that the gateway recorded, in the order in which it became durable. Nothing is changed or deleted.
  position integer primary key, -- the global order, from 1, without gaps
  stream text not null,         -- the thing that the fact is about, as <category>-<id>
  revision integer not null,    -- the order within the stream, from 0, without gaps
  id text not null,             -- UUIDv5 of the command id and the index of the event in its append
  type text not null,
  data text not null,           -- JSON: ids, sizes, digests; no content, no secret, no correspondent
  metadata text not null,       -- JSON: the gateway's time, who caused it, in which session, after which event
  recordedAt text not null,     -- the log's own time, ISO 8601 UTC, never going backwards
  unique (stream, revision),
  unique (stream, id)
) strict;
create trigger eventIsNeverChanged before update on event begin select raise(abort, 'events are never changed'); end;
create trigger eventIsNeverDeleted before delete on event begin select raise(abort, 'events are never deleted'); end;
pragma application_id = ${applicationId};
pragma user_version = ${schemaVersion};`

/**
 * Opens the log for its one writer and creates it when there is none. What an earlier process left in the
 * write-ahead log is durable when this returns. Throws `start-refused` with a sentence that names the file.
 */
export const openForWriting = (file: string): DatabaseSync =>
  opened(file, () => {
    prepareDatabase(file, (db) => checkIdentity(db, file))
    const db = new DatabaseSync(file, { timeout: lockTimeout })
    return prepared(db, () => {
      const isNew = checkIdentity(db, file)
      // Checkpoints are the writer's: SQLite's automatic ones keep a failed fsync to themselves.
      db.exec('pragma synchronous = full; pragma wal_autocheckpoint = 0')
      db.exec('pragma cache_size = -8000; pragma fullfsync = on; pragma checkpoint_fullfsync = on')
      if (isNew) db.exec(`begin immediate; ${schema}; commit`)
      // A killed process may have left commits that no fsync has followed: nobody may build on them before one has.
      checkpoint(db)
    })
  })

/** Opens an existing log for reading only, in any thread or process. Throws as `openForWriting` does. */
export const openForReading = (file: string): DatabaseSync =>
  opened(file, () => {
    const db = new DatabaseSync(file, { readOnly: true, timeout: lockTimeout })
    return prepared(db, () => {
      if (checkIdentity(db, file)) throw refused(`${file} holds no log yet`)
    })
  })

/** Everything in the write-ahead log durable, then in the database, as far as readers and the disk's room allow. */
export const checkpoint = (db: Pick<DatabaseSync, 'exec'>) => {
  try {
    db.exec('pragma wal_checkpoint(truncate)')
  } catch (error) {
    if (!isFull(error)) throw error
  }
}

/** Whether the file is new and empty; throws when it is something else than a log that this version can read. */
const checkIdentity = (db: DatabaseSync, file: string): boolean => {
  const isEmpty = pragma(db, 'schema_version') === 0
  if (isEmpty) return true
  if (pragma(db, 'application_id') !== applicationId) throw refused(`${file} is not a log of this gateway`)
  const version = pragma(db, 'user_version')
  if (version > schemaVersion)
    throw refused(`${file} has schema ${version}, written by a newer gateway; this one reads up to ${schemaVersion}`)
  return false
}

const pragma = (db: DatabaseSync, name: string): number => Number(db.prepare(`pragma ${name}`).get()?.[name])

const prepared = (db: DatabaseSync, prepare: () => void): DatabaseSync => {
  try {
    prepare()
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

const opened = (file: string, open: () => DatabaseSync): DatabaseSync => {
  try {
    return open()
  } catch (error) {
    if (error instanceof GatewayError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw refused(`The log ${file} cannot be opened: ${reason}`, error)
  }
}

const refused = (detail: string, cause?: unknown) => new GatewayError('start-refused', { detail, cause })
