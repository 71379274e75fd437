import { GatewayError } from '../core/errors.ts'

// https://sqlite.org/rescode.html: the low octet is the primary result code.
const busy = 5
const full = 13

const primaryCode = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined

/** SQLite answers `SQLITE_FULL` when a write met ENOSPC and when the database has reached its page limit. */
export const isFull = (error: unknown) => primaryCode(error) === full

/** A failure before COMMIT was tried: whatever it was, nothing has been written. */
export const failureBeforeCommit = (cause: unknown) =>
  new GatewayError(isFull(cause) ? 'storage-full' : 'not-written', { cause })

/**
 * A failure of COMMIT itself. Without room, or without the lock, the frame that makes the transaction valid was not
 * written. After anything else (a failed write or fsync) the next start may find the transaction or may not.
 */
export const failureOfCommit = (cause: unknown) => {
  if (isFull(cause)) return new GatewayError('storage-full', { cause })
  return new GatewayError(primaryCode(cause) === busy ? 'not-written' : 'outcome-unknown', { cause })
}
