import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { syncDirectoryNow } from './durable.ts'

/**
 * Makes an SQLite database with a write-ahead log, mode 0600, as far as they are not there; both names are durable when it returns. SQLite
 * flushes the directory too when it has made a log, but does not look whether that failed: what it has called
 * committed could then be gone after a power cut, with the log's name. `settings` are for before the first page.
 */
export const prepareDatabase = (path: string, settings = ''): void => {
  if (sizeOf(path) === 0) {
    nameDurably(path)
    writeFirstPage(path, settings)
  }
  const log = `${path}-wal`
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
    rmSync(path)
    throw error
  }
}

/** SQLite takes away a log that lies beside a database without a page. */
const writeFirstPage = (path: string, settings: string) => {
  const db = new DatabaseSync(path)
  try {
    db.exec(`${settings}; pragma journal_mode = wal`)
  } finally {
    db.close()
  }
}
