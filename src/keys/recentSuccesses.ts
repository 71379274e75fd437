import type { Clock } from '../core/ports.ts'

/** From where each mailbox was opened lately. */
export type RecentSuccesses = {
  has(mailbox: string, source: string): boolean
  add(mailbox: string, source: string): void
}

export type RecentSuccessesRules = {
  /** Milliseconds for which a success counts. */
  readonly lately: number
  readonly sourcesPerMailbox: number
  readonly mailboxes: number
}

/** Bounded: the mailbox, and of a mailbox the source, whose last success is the oldest goes first. */
export const recentSuccesses = (clock: Clock, rules: RecentSuccessesRules): RecentSuccesses => {
  // Each map in the order of last successes.
  const byMailbox = new Map<string, Map<string, number>>()
  const dropOldest = (map: Map<string, unknown>, limit: number) => {
    for (const key of map.keys()) {
      if (map.size <= limit) return
      map.delete(key)
    }
  }
  return {
    has: (mailbox, source) => {
      const at = byMailbox.get(mailbox)?.get(source)
      return at !== undefined && clock.now().getTime() - at < rules.lately
    },
    add: (mailbox, source) => {
      const sources = byMailbox.get(mailbox) ?? new Map<string, number>()
      byMailbox.delete(mailbox)
      byMailbox.set(mailbox, sources)
      sources.delete(source)
      sources.set(source, clock.now().getTime())
      dropOldest(sources, rules.sourcesPerMailbox)
      dropOldest(byMailbox, rules.mailboxes)
    },
  }
}
