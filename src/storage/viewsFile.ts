import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { projections } from '../../projections/projections.ts'
import { type Checkpoint, checkpoints, createViews } from '../../projections/runner.ts'
import type { EventLog } from '../core/ports.ts'

// SQLite's result codes (sqlite.org/rescode.html), without the extension in their upper bits.
const ofTheDisk = new Set([3, 5, 6, 7, 8, 10, 13, 14]) // PERM BUSY LOCKED NOMEM READONLY IOERR FULL CANTOPEN
const ofTheFile = new Set([11, 26]) // CORRUPT NOTADB

const resultCode = (error: unknown): number | undefined => {
  if (!(error instanceof Error)) return undefined
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode & 0xff
  return resultCode(error.cause)
}

/** The disk or its neighbours are in the way: the same may succeed later. */
export const isOfTheDisk = (error: unknown): boolean => ofTheDisk.has(resultCode(error) ?? -1)

/** The file is no longer a database: only building it anew helps. */
export const isCorrupt = (error: unknown): boolean => ofTheFile.has(resultCode(error) ?? -1)

const markerOf = (file: string) => `${file}-corrupt`

/** Says that the file must be built anew when it is opened next. */
export const condemn = (file: string): void => {
  try {
    writeFileSync(markerOf(file), '')
  } catch {
    // Then whoever opens it next, or what he reads, meets the corruption again and says so again.
  }
}

const remove = (file: string) => {
  // The marker goes last: a removal that was interrupted is done again.
  for (const path of [`${file}-wal`, `${file}-shm`, file, markerOf(file)]) rmSync(path, { force: true })
}

export type ViewsFile = {
  readonly db: DatabaseSync
  /** The views that begin at the first event, by name. */
  readonly rebuilt: readonly string[]
}

/**
 * Opens the file of the views for the one thread that writes it. A file that is corrupt, condemned, not ours or folded
 * from another log than this one is removed and begun anew. Throws what the log throws, and what a full or forbidden
 * disk makes SQLite throw.
 */
export const openViewsFile = async (file: string, log: Pick<EventLog, 'readStream'>): Promise<ViewsFile> => {
  if (existsSync(markerOf(file))) remove(file)
  const found = tryToOpen(file)
  try {
    if (found && (await isFoldedFrom(log, checkpoints(found.db)))) return found
  } catch (error) {
    found?.db.close()
    throw error
  }
  found?.db.close()
  remove(file)
  return open(file)
}

const tryToOpen = (file: string): ViewsFile | undefined => {
  try {
    return open(file)
  } catch (error) {
    if (isOfTheDisk(error)) throw error
    return undefined
  }
}

const open = (file: string): ViewsFile => {
  // Names, aliases and addresses are for the owner's eyes; SQLite gives its companion files the same mode.
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600))
  const db = new DatabaseSync(file, { timeout: 500 })
  try {
    // `normal` syncs at checkpoints only: after a power cut the file is whole, and what is lost is folded again.
    db.exec('pragma journal_mode = wal; pragma synchronous = normal')
    // 16 MiB of log between checkpoints, so that their syncs seldom compete with those of the event log.
    db.exec('pragma wal_autocheckpoint = 4000; pragma journal_size_limit = 16777216; pragma cache_size = -16000')
    return { db, rebuilt: createViews(db, projections) }
  } catch (error) {
    db.close()
    throw error
  }
}

/** A restored backup may be shorter than what was folded, and go on differently: the last folded event tells. */
const isFoldedFrom = async (log: Pick<EventLog, 'readStream'>, folded: readonly Checkpoint[]): Promise<boolean> => {
  for (const { position, event } of folded) {
    if (!event) continue
    const [recorded] = await log.readStream(event.stream, event.revision, 1)
    if (recorded?.id !== event.id || recorded.position !== position) return false
  }
  return true
}
