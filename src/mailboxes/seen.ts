import { GatewayError } from '../core/errors.ts'
import type { Position } from '../core/ids.ts'

/** Milliseconds that a change may take to be seen in the views. */
const visibleWithin = 10_000

export type Visible = { visible(position: Position, signal?: AbortSignal): Promise<void> }

/** Resolves when the views show everything up to a position; rejects with `storage-failed` when that takes too long. */
export const seen = async (views: Visible, position: Position): Promise<void> => {
  const signal = AbortSignal.timeout(visibleWithin)
  try {
    await views.visible(position, signal)
  } catch (error) {
    throw signal.aborted ? new GatewayError('storage-failed', { cause: error }) : error
  }
}
