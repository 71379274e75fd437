import type { GatewayError } from '../core/errors.ts'
import type { EventFinder } from '../core/eventSearch.ts'
import type { Clock, EventLog } from '../core/ports.ts'
import type { CategoryReader } from './byCategory.ts'
import { catchUps } from './catchUp.ts'
import { announcer, listenForCommits } from './commitNews.ts'
import { groupCommit } from './groupCommit.ts'
import { openForReading, openForWriting } from './sqliteFile.ts'
import { sqliteFinder } from './sqliteFinder.ts'
import { sqliteCategoryReader, sqliteReader } from './sqliteReader.ts'
import { type Database, sqliteWriter } from './sqliteWriter.ts'
import { notWritten, storable } from './storedEvent.ts'

export type SqliteLogOptions = {
  readonly file: string
  readonly clock: Clock
  /** The disk has failed: no append will succeed any more, and the process must stop. Called once. */
  readonly onFatal?: (error: GatewayError) => void
}

/**
 * The log in one SQLite file, for its one writer. Its commits block the thread that constructs it, so that thread must
 * own no sockets. Throws `start-refused` when the file cannot be opened.
 */
export const sqliteLog = (options: SqliteLogOptions): EventLog & EventFinder =>
  sqliteLogOver(openForWriting(options.file), options)

/** The same over a database that `openForWriting` has opened; closes it in the end. */
export const sqliteLogOver = (
  db: Database,
  { file, clock, onFatal = () => {} }: SqliteLogOptions,
): EventLog & EventFinder => {
  const reader = sqliteReader(db)
  const followers = catchUps(reader.readAll)
  const news = announcer(file)
  const onCommitted = () => {
    followers.wake()
    news.announce()
  }
  const commits = groupCommit(sqliteWriter(db, clock), { onCommitted, onFatal })
  return {
    ...reader,
    findEvents: sqliteFinder(db),
    append: (append) => Promise.try(() => commits.append(storable(append))),
    subscribe: followers.subscribe,
    close: once(async () => {
      await followers.close()
      try {
        commits.close()
      } finally {
        news.close()
        db.close()
      }
    }),
  }
}

/**
 * The same file for a reader in another thread or process: `append` is refused with `not-written`. Subscriptions hear
 * of the writer's commits at once in the writer's process, within a second in others. Throws `start-refused` when there
 * is no log yet.
 */
export const readSqliteLog = ({ file }: { readonly file: string }): EventLog & CategoryReader => {
  const db = openForReading(file)
  const reader = sqliteReader(db)
  const followers = catchUps(reader.readAll)
  const news = listenForCommits(file, () => followers.wake())
  return {
    ...reader,
    readCategories: sqliteCategoryReader(db),
    append: () => Promise.reject(notWritten('the log was opened for reading')),
    subscribe: followers.subscribe,
    close: once(async () => {
      news.close()
      await followers.close()
      db.close()
    }),
  }
}

const once = (work: () => Promise<void>) => {
  let done: Promise<void> | undefined
  return () => (done ??= work())
}
