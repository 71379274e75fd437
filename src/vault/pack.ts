import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { syncDirectoryNow } from '../disk/durable.ts'
import { prepareDatabase } from '../disk/walDatabase.ts'
import { GatewayError } from '../core/errors.ts'
import { asStorageError } from './storageError.ts'

export type PackEntry = { readonly id: string; readonly size: number }

/**
 * The small sealed messages of one day: rows of one SQLite file. Everything here happens at once, on the calling
 * thread, and throws what SQLite throws.
 */
export type Pack = {
  /** Runs `change`, which calls `insert` and `delete`; all of it is durable when this returns, or nothing happened. */
  transact(change: () => void): void
  /** Whether it was inserted; false when there is such an object already, which stays as it is. */
  insert(id: string, sealed: Uint8Array): boolean
  delete(id: string): boolean
  read(id: string): Uint8Array | undefined
  /** At most `limit` entries in the order of their ids, after `after` exclusive. */
  list(after: string, limit: number): readonly PackEntry[]
  isEmpty(): boolean
  /** Gives back at most so many free pages to the file system. Whether there are more. */
  shrink(pages: number): boolean
  /** Moves what the write-ahead log holds into the file, if it is much. */
  checkpointWhenDue(): void
  /** The same at once; the log is cut to nothing. */
  checkpoint(): void
  close(): void
}

/** Of 4 to 64 KiB, 8 KiB pages were quickest for mails of 10 KiB and wasted least (2 %). */
const pageSize = 8192

/** Octets of SQLite's page cache per open pack. */
const cacheSize = 1 << 20

/** Octets in the log that call for a checkpoint. Measured per 10 KiB mail: 0.03 ms at 4 MiB, 0.012 ms at 16 MiB. */
const checkpointAfter = 16 << 20

// Checkpoints are called for by hand, so that they happen after the acknowledgement and a failed flush in one is seen.
const setUp = `
  pragma synchronous = full;
  pragma secure_delete = on;
  pragma wal_autocheckpoint = 0;
  pragma cache_size = -${cacheSize / 1024};`

const table = 'create table if not exists object (id text primary key, sealed blob not null) strict'

const leftInLog =
  'What a dead process has left in the log of a pack cannot be taken in: the disk is full, or somebody reads it'

/** Opens the pack, and makes it when there is none. Of others' locks (an auditor's), it waits a second for one. */
export const openPack = (path: string): Pack => {
  const wasCutOff = existsSync(`${path}-wal`)
  prepareDatabase(path, (db) => {
    db.exec(`pragma page_size = ${pageSize}; pragma auto_vacuum = incremental; ${table}`)
  })
  const db = new DatabaseSync(path, { timeout: 1000 })
  try {
    db.exec(setUp)
    return packOf(db, wasCutOff && !tookIn(db))
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Of what a dead process has left in the log, a flush may have failed: it can be read, and yet not be on the disk, and with
 * a gap in the log what follows would be lost after a power cut. Not without room for it, nor while somebody reads the log:
 * then it is read where it lies, and nothing may follow it.
 */
const tookIn = (db: DatabaseSync): boolean => {
  try {
    return db.prepare('pragma wal_checkpoint(truncate)').get()?.['busy'] === 0
  } catch (error) {
    if (asStorageError(error).code !== 'storage-full') throw error
    return false
  }
}

/** A pack that exists, for reading only. Beside one that was closed well and copied, nothing is made. */
export const readPack = (path: string): Pack => packOf(new DatabaseSync(path, { readOnly: true }))

/** `owed`: what a dead process has left in the log has to be taken in first. */
const packOf = (db: DatabaseSync, owed = false): Pack => {
  const insert = db.prepare('insert into object (id, sealed) values (?, ?) on conflict do nothing')
  const remove = db.prepare('delete from object where id = ? returning length(sealed) as size')
  const read = db.prepare('select sealed from object where id = ?')
  const list = db.prepare('select id, length(sealed) as size from object where id > ? order by id limit ?')
  const any = db.prepare('select 1 from object limit 1')
  const free = db.prepare('pragma freelist_count')
  let written = 0

  const rollback = () => {
    if (db.isTransaction) db.exec('rollback')
  }
  const checkpoint = (mode: 'passive' | 'truncate') => {
    written = 0
    db.exec(`pragma wal_checkpoint(${mode})`)
  }
  return {
    transact: (change) => {
      owed &&= !tookIn(db)
      if (owed) throw new GatewayError('storage-failed', { detail: leftInLog })
      db.exec('begin immediate')
      try {
        change()
        db.exec('commit')
      } catch (error) {
        rollback()
        throw error
      }
    },
    insert: (id, sealed) => {
      written += sealed.length
      return insert.run(id, sealed).changes === 1
    },
    delete: (id) => {
      const removed = remove.get(id)
      // Secure deletion writes every page of the object once more.
      written += Number(removed?.['size'] ?? 0)
      return removed !== undefined
    },
    // The columns are what the table's strict types say.
    read: (id) => read.get(id)?.['sealed'] as Uint8Array | undefined,
    list: (after, limit) => list.all(after, limit) as PackEntry[],
    isEmpty: () => any.get() === undefined,
    shrink: (pages) => {
      db.exec(`pragma incremental_vacuum(${pages})`)
      written += pages * pageSize
      return Number(free.get()?.['freelist_count']) > 0
    },
    checkpointWhenDue: () => {
      if (written >= checkpointAfter) checkpoint('passive')
    },
    checkpoint: () => checkpoint('truncate'),
    close: () => db.close(),
  }
}

/** Removes the pack's files. The pack is closed. Durable when it returns. */
export const removePack = (path: string): void => {
  // The file first: SQLite drops a log without its file; a file without its log could bring removed rows back.
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
  syncDirectoryNow(dirname(path))
}
