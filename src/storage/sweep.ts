import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Octets of buffers after which the young generation is swept. */
const sweepAfter = 2 * 1024 * 1024

setFlagsFromString('--expose-gc')
// The flag gives the function to contexts made from now on.
const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void
let passed = 0

/**
 * Tells that so many octets have passed through this thread in buffers. The engine frees a buffer's octets when it
 * sweeps the heap, and it does not sweep for their sake before they are some 64 MiB, in each thread. A large message
 * would cost that much memory; so the young generation, where its buffers are and little else, is swept in between.
 */
export const octetsPassed = (octets: number): void => {
  passed += octets
  if (passed < sweepAfter) return
  passed = 0
  collect({ type: 'minor' })
}
