import { GatewayError } from './errors.ts'
import type { Recorded } from './events.ts'

export type Readable = {
  readonly events: readonly Recorded[]
  /** What follows them cannot be read: whoever reads on will be told which event it is, and why. */
  readonly cutShort: boolean
}

/**
 * A page up to the first event of it that cannot be read, so that what stands before such an event is not lost with it.
 * Rejects with `event-unreadable` when that is the very first one. `read` gives a page of at most so many events.
 */
export const asFarAsReadable = async (
  read: (limit: number) => Promise<readonly Recorded[]>,
  limit: number,
): Promise<Readable> => {
  try {
    return { events: await read(limit), cutShort: false }
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return shorter(read, Math.ceil(limit / 2))
  }
}

// By its code: one that came from another thread has lost its class.
const isUnreadable = (error: unknown) => error instanceof GatewayError && error.code === 'event-unreadable'

const shorter = async (read: (limit: number) => Promise<readonly Recorded[]>, limit: number): Promise<Readable> => {
  for (let size = limit; ; size = Math.ceil(size / 2)) {
    try {
      return { events: await read(size), cutShort: true }
    } catch (error) {
      if (!isUnreadable(error) || size === 1) throw error
    }
  }
}
