import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const MiB = 1024 * 1024

/** Octets that pass between two looks, and that are to be swept at the least. */
const sweepAfter = 2 * MiB
/** Octets in this thread's heap and beside it, above the fewest since it was last swept whole, for which it is swept whole again. */
const growth = 10 * MiB

setFlagsFromString('--expose-gc')
// The flag gives the function to contexts made from now on.
const collect = runInNewContext('gc') as (options: { readonly type: 'minor' | 'major' }) => void
let passed = 0
let fewestBeside = Infinity
let fewest = Infinity

const held = () => {
  const { external_memory: beside, used_heap_size: inside } = getHeapStatistics()
  return { beside, all: beside + inside }
}

/**
 * Tells that so many octets have passed through this thread in buffers. The engine frees a buffer's octets when it
 * sweeps the heap, unless they are `spent` before, and it does not sweep for their sake before they are some 64 MiB, in each thread. A large message
 * would cost that much memory; so the young generation, where its buffers are and little else, is swept in between.
 * Of many large messages at once more is held: what outlives two sweeps is old and stays, so they are the further
 * apart the more is held, and what has become old nevertheless is swept with all the heap before it is much.
 */
export const octetsPassed = (octets: number): void => {
  passed += octets
  if (passed < sweepAfter) return
  passed = 0
  let now = held()
  fewestBeside = Math.min(fewestBeside, now.beside)
  if (now.beside >= fewestBeside + Math.max(sweepAfter, fewestBeside / 2)) {
    collect({ type: 'minor' })
    now = held()
    fewestBeside = now.beside
  }
  fewest = Math.min(fewest, now.all)
  if (now.all < fewest + growth) return
  collect({ type: 'major' })
  // To be known at the next look: the octets are freed while this thread goes on.
  fewestBeside = fewest = Infinity
}
