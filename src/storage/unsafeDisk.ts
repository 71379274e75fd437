import { GatewayError } from '../core/errors.ts'

const deepest = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : deepest(error.cause)
}

/** After a failed flush, or a failed write of a commit: nothing may be built on what the disk holds until it is read again. */
export const unsafeDisk = (cause: unknown): GatewayError => {
  const detail = `The disk failed to keep what was written to it (${deepest(cause)}), so the gateway stops before it loses mail: look at the disk, then start it again; what was acknowledged before is kept.`
  return new GatewayError('storage-failed', { detail, cause })
}

/** An error of the table that has come from another thread as a plain one, and anything else as it is. */
export const asSent = (error: unknown): unknown => {
  if (!(error instanceof Error) || error instanceof GatewayError) return error
  const { code, detail, cause } = error as Error & { readonly code?: unknown; readonly detail?: unknown }
  return code === 'storage-failed' && typeof detail === 'string' ? new GatewayError(code, { detail, cause }) : error
}
