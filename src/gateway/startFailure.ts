import { GatewayError } from '../core/errors.ts'
import type { Places } from '../dataDirectory.ts'
import { asStorageError } from '../vault/storageError.ts'

/**
 * What a start has failed with, as one sentence for whoever started it: a failure of the table keeps its own, one of the
 * operating system or of SQLite gets one. A defect stays what it is.
 */
export const asStartFailure = (error: unknown, { data, vault, keys }: Places & { readonly data: string }): unknown => {
  if (error instanceof GatewayError && (error.code !== 'storage-full' || error.detail !== undefined)) return error
  if (!isOfTheSystem(error)) return error
  const detail =
    asStorageError(error).code === 'storage-full'
      ? `There is no room on the disk of the data directory ${data}, of the vault ${vault} or of the keys ${keys}: make some, then start the gateway again; what was acknowledged is kept.`
      : `The gateway cannot start: ${error.message}.`
  return new GatewayError('start-refused', { detail, cause: error })
}

/** Ours without room, of Node's calls to the system, or of SQLite. */
const isOfTheSystem = (error: unknown): error is Error =>
  error instanceof Error && (error instanceof GatewayError || 'syscall' in error || 'errcode' in error)
