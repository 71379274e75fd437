import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const MiB = 1024 * 1024

/** Octets of buffers after which the young generation is swept, at the soonest. */
const sweepAfter = 2 * MiB
/** Octets beside this thread's heap, above the fewest since it was last swept whole, for which it is swept whole again. */
const growth = 16 * MiB

setFlagsFromString('--expose-gc')
// The flag gives the function to contexts made from now on.
const collect = runInNewContext('gc') as (options: { readonly type: 'minor' | 'major' }) => void
let passed = 0
let until = sweepAfter
let fewest = Infinity

/**
 * Tells that so many octets have passed through this thread in buffers. The engine frees a buffer's octets when it
 * sweeps the heap, and it does not sweep for their sake before they are some 64 MiB, in each thread. A large message
 * would cost that much memory; so the young generation, where its buffers are and little else, is swept in between.
 * Of many large messages at once more is held: what outlives two sweeps is old and stays, so they are the further
 * apart the more is held, and what has become old nevertheless is swept with all the heap before it is much.
 */
export const octetsPassed = (octets: number): void => {
  passed += octets
  if (passed < until) return
  passed = 0
  collect({ type: 'minor' })
  const beside = getHeapStatistics().external_memory
  fewest = Math.min(fewest, beside)
  until = Math.max(sweepAfter, fewest / 2)
  if (beside < fewest + growth) return
  collect({ type: 'major' })
  // To be known at the next sweep: the octets are freed while this thread goes on.
  fewest = Infinity
  until = sweepAfter
}
