import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { syncDirectoryNow } from './durable.ts'

/** Milliseconds to wait for somebody else's lock: a backup's. */
const lockTimeout = 1_000

/**
 * Makes an SQLite database with a write-ahead log, mode 0600, as far as they are not there; both names are durable when it returns. SQLite
 * flushes the directory too when it has made a log, but does not look whether that failed: what it has called
 * committed could then be gone after a power cut, with the log's name. `before` comes before the first page, and may refuse what is there.
 */
export const prepareDatabase = (path: string, before: (db: DatabaseSync) => void): void => {
  const isNew = sizeOf(path) === 0
  if (isNew) nameDurably(path)
  const log = `${path}-wal`
  // First: SQLite takes away a log that lies beside a database without a page. One that comes from a backup is not to have a log.
  if (isNew || sizeOf(log) === 0) setMode(path, before)
  if (sizeOf(log) === 0) nameDurably(log)
}

const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/** Of an empty file. No later flush makes up for one that has failed: the next start is to make the name anew. */
const nameDurably = (path: string) => {
  // SQLite would make it readable by all.
  closeSync(openSync(path, 'a', 0o600))
  try {
    syncDirectoryNow(dirname(path))
  } catch (error) {
    remove(path)
    throw error
  }
}

const remove = (path: string) => {
  try {
    rmSync(path, { force: true })
  } catch {
    // That the flush has failed is what is to be told.
  }
}

const setMode = (path: string, before: (db: DatabaseSync) => void) => {
  const db = new DatabaseSync(path, { timeout: lockTimeout })
  try {
    before(db)
    db.exec('pragma journal_mode = wal')
  } finally {
    db.close()
  }
}
