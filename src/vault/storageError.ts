import { GatewayError } from '../core/errors.ts'

// sqlite3.h: result codes, the lower eight bits primary.
const sqliteFull = 13
const sqliteCorrupt = 11
const sqliteNotADatabase = 26
const sqliteShmSize = 4874
const sqliteFsync = 1034
const sqliteDirectoryFsync = 1290

type Failure = { readonly code?: unknown; readonly errcode?: unknown; readonly syscall?: unknown }
const detailsOf = (error: unknown): Failure => (typeof error === 'object' && error !== null ? error : {})
const noRoom = (code: unknown) => code === 'ENOSPC' || code === 'EDQUOT'

/** Whether a write was promised to the disk and may not be there: nothing may be acknowledged after it. */
export const isFailedSync = (error: unknown): boolean => {
  const { code, errcode, syscall } = detailsOf(error)
  if (errcode === sqliteFsync || errcode === sqliteDirectoryFsync) return true
  return (syscall === 'fsync' || syscall === 'fdatasync') && !noRoom(code)
}

/** Whatever the file system or SQLite threw, as `storage-full` or `storage-failed`; what is ours already stays. */
export const asStorageError = (error: unknown): GatewayError => {
  if (error instanceof GatewayError) return error
  const { code, errcode } = detailsOf(error)
  const full = noRoom(code) || errcode === sqliteFull || errcode === sqliteShmSize
  return new GatewayError(full ? 'storage-full' : 'storage-failed', { cause: error })
}

/** The same for reading, where a pack that SQLite finds damaged is `object-corrupt`. */
export const asReadError = (error: unknown): GatewayError => {
  const { errcode } = detailsOf(error)
  const primary = typeof errcode === 'number' ? errcode & 0xff : 0
  const damaged = primary === sqliteCorrupt || primary === sqliteNotADatabase
  return damaged ? new GatewayError('object-corrupt', { cause: error }) : asStorageError(error)
}
