import type { Clock } from '../core/ports.ts'

/** What failed tries of one key cost it: each doubles the wait before the next. */
export type BackOff = {
  /** Milliseconds to wait; 0 when a try may begin. */
  wait(key: string): number
  hasFailed(key: string): boolean
  /** A try begins; `failed` or `settled` follows. */
  begin(key: string): void
  failed(key: string): void
  /** The try did not fail. Earlier failures stay. */
  settled(key: string): void
  forget(key: string): void
  /** Keys that are remembered. */
  size(): number
}

export type BackOffRules = {
  /** Tries at once for a key that has not failed; after a failure, one. */
  readonly burst: number
  /** Milliseconds: the wait after the first failure, the longest wait, and the quiet after which all is forgotten. */
  readonly first: number
  readonly longest: number
  readonly forgottenAfter: number
  /** Keys remembered at most. */
  readonly capacity: number
}

type Entry = { failures: number; failedAt: number; openAt: number; pending: number; begunAt: number }

/** A try that nobody has settled after this long never will be. */
const triesEndAfter = 60_000
/** The wait where only other tries stand in the way. */
const whileOthersTry = 1000
const highestLevel = 32

const levelOf = (entry: Entry) => Math.min(entry.failures, highestLevel)

/**
 * Bounded: when full, the key with the fewest failures goes first, of those the one that failed or began longest ago. So
 * whoever wants his own failures forgotten must fill the table with keys that have failed as often as he.
 */
export const backOff = (clock: Clock, rules: BackOffRules): BackOff => {
  const entries = new Map<string, Entry>()
  const levels = Array.from({ length: highestLevel + 1 }, () => new Set<string>())
  const now = () => clock.now().getTime()
  const fresh = (): Entry => ({ failures: 0, failedAt: 0, openAt: 0, pending: 0, begunAt: 0 })

  const forget = (key: string) => {
    const entry = entries.get(key)
    if (entry === undefined) return
    levels[levelOf(entry)]?.delete(key)
    entries.delete(key)
  }
  const evict = () => {
    const lowest = levels.find((level) => level.size > 0)
    const [key] = lowest ?? []
    if (key !== undefined) forget(key)
  }
  const store = (key: string, entry: Entry) => {
    forget(key)
    if (entry.failures === 0 && entry.pending === 0) return
    if (entries.size >= rules.capacity) evict()
    entries.set(key, entry)
    levels[levelOf(entry)]?.add(key)
  }
  /** A copy, with what time has settled. */
  const current = (key: string): Entry => {
    const entry = { ...(entries.get(key) ?? fresh()) }
    if (now() - entry.failedAt >= rules.forgottenAfter) entry.failures = 0
    if (now() - entry.begunAt >= triesEndAfter) entry.pending = 0
    return entry
  }
  const waitAfter = (failures: number) => Math.min(rules.first * 2 ** (failures - 1), rules.longest)

  return {
    wait: (key) => {
      const { failures, openAt, pending } = current(key)
      // Never more than the rule says, even if the clock was set back.
      if (failures > 0 && openAt > now()) return Math.min(openAt - now(), waitAfter(failures))
      return pending >= (failures === 0 ? rules.burst : 1) ? whileOthersTry : 0
    },
    hasFailed: (key) => current(key).failures > 0,
    begin: (key) => {
      const entry = current(key)
      store(key, { ...entry, pending: entry.pending + 1, begunAt: now() })
    },
    failed: (key) => {
      const entry = current(key)
      const failures = entry.failures + 1
      const openAt = now() + waitAfter(failures)
      store(key, { ...entry, failures, failedAt: now(), openAt, pending: Math.max(0, entry.pending - 1) })
    },
    settled: (key) => {
      const entry = current(key)
      store(key, { ...entry, pending: Math.max(0, entry.pending - 1) })
    },
    forget,
    size: () => entries.size,
  }
}
