import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { type Target, target } from './target.ts'
import type { Targets } from './targets.ts'

/** The input that shows the defect is among few. */
const inputs = fc.nat(20)
const planted = (check: Target<number>['check'], more: Partial<Target<number>> = {}) =>
  target<number>(() => ({ inputs, costs: 50, check, ...more }))

/** Milliseconds of processor time. */
const spin = (milliseconds: number) => {
  const before = process.threadCpuUsage()
  while (process.threadCpuUsage(before).user < milliseconds * 1000);
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const leaked: Uint8Array[] = []
const reached = new Set<string>()

/** One defect each, of every kind that fuzzing is to find; and none. */
export const targets: Targets = {
  sound: () => planted(turn),
  throws: () =>
    planted((input) => {
      if (input === 7) throw new Error('seven')
    }),
  rejects: () =>
    planted((input) => {
      if (input === 7) void Promise.reject(new Error('nobody hears it'))
      return turn()
    }),
  isDear: () => planted((input) => (input === 7 ? spin(60) : undefined)),
  spins: () => planted((input) => (input === 7 ? spin(Infinity) : undefined)),
  waits: () => planted((input) => (input === 7 ? new Promise<void>(() => undefined) : turn())),
  // Much at a time, which takes no room as long as nobody writes to it: a machine that gets to few inputs shows it too.
  leaks: () =>
    planted(() => {
      leaked.push(new Uint8Array(1_000_000))
      return delay(2)
    }),
  strays: () =>
    planted((input) => void reached.add(input === 7 ? 'machine elsewhere' : 'machine open'), {
      states: { known: new Set(['machine open']), reached },
    }),
  endsBadly: () => planted(turn, { close: () => Promise.reject(new Error('not clean')) }),
}
