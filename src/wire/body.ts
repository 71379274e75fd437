import { keepChunk } from '../core/chunks.ts'
import { GatewayError } from '../core/errors.ts'
import type { Flight } from './flight.ts'

/** Octets that may wait for the consumer before the peer is not read any more. */
const highWater = 64 * 1024
const lowWater = highWater / 2

/** A message's content on its way from one connection to one consumer, in bounded memory. */
export type Body = AsyncIterable<Uint8Array> & {
  /** Takes content, which is dropped when the consumer is gone. Whether more may follow at once; else `onRoom` says when. */
  push(chunk: Uint8Array): boolean
  /** The end of the data was read. */
  end(): void
  /** The consumer gets an error in place of the rest, which is still read and dropped. */
  refuse(error: GatewayError): void
  /** Nothing more will come: the consumer gets `connection-lost`, unless everything had come already. */
  lose(): void
  /** Nobody wants the rest. */
  discard(): void
  /** The consumer has had all of it. */
  readonly taken: boolean
  /** Resolves when nothing more will come. */
  readonly over: Promise<undefined>
}

export const openBody = (onRoom: () => void, flight?: Flight): Body => {
  const queue: Uint8Array[] = []
  const { promise: over, resolve: finish } = Promise.withResolvers<undefined>()
  let state: 'open' | 'ended' | 'discarding' = 'open'
  let failure: GatewayError | undefined
  let queued = 0
  let full = false
  let taken = false
  let wake = () => {}

  const release = (octets: number) => {
    queued -= octets
    flight?.leave(octets)
    if (!full || queued >= lowWater) return
    full = false
    onRoom()
  }
  const discard = () => {
    queue.length = 0
    state = 'discarding'
    release(queued)
  }
  const refuse = (error: GatewayError) => {
    if (state !== 'open') return
    failure = error
    discard()
    wake()
  }
  async function* content() {
    try {
      for (;;) {
        for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) {
          release(chunk.length)
          yield chunk
        }
        if (failure !== undefined) throw failure
        if (state !== 'open') break
        await new Promise<void>((resolve) => (wake = resolve))
      }
      taken = state === 'ended'
    } finally {
      discard()
    }
  }
  return {
    push(chunk) {
      if (state !== 'open') return true
      keepChunk(queue, chunk)
      queued += chunk.length
      flight?.enter(chunk.length)
      full = queued >= highWater || flight?.isFull() === true
      wake()
      return !full
    },
    end() {
      if (state === 'open') state = 'ended'
      full = false
      wake()
      finish(undefined)
    },
    refuse,
    lose() {
      refuse(new GatewayError('connection-lost'))
      finish(undefined)
    },
    discard,
    get taken() {
      return taken
    },
    over,
    [Symbol.asyncIterator]: content,
  }
}
