import type { MaildropEntry } from '../maildrop.ts'
import type { Retrieval } from './retrieval.ts'

/** Messages that are read before their turn, at most. */
export const messagesAhead = 32
/** Octets of them together, at most. */
const octetsAhead = 1024 * 1024

/**
 * Retrievals begun before their turn, so that the facts of a pipeline of RETRs share one commit. Each still waits for
 * its turn to be sent.
 */
export type LookAhead = {
  /** The message's retrieval, begun now if it was not before. It is the caller's from here on. */
  take(entry: MaildropEntry): Retrieval
  /** Begins the retrievals of the messages that were asked for next, in order, as far as the bounds allow. */
  prepare(next: Iterable<MaildropEntry>): void
  /** Aborts what was begun and not taken. */
  abort(): void
}

export const lookAhead = (begin: (entry: MaildropEntry) => Retrieval): LookAhead => {
  const early = new Map<MaildropEntry, Retrieval>()
  let octets = 0
  return {
    take: (entry) => {
      const begun = early.get(entry)
      if (!begun) return begin(entry)
      early.delete(entry)
      octets -= entry.wireSize
      return begun
    },
    prepare: (next) => {
      for (const entry of next) {
        if (early.has(entry)) continue
        if (early.size >= messagesAhead || octets + entry.wireSize > octetsAhead) return
        early.set(entry, begin(entry))
        octets += entry.wireSize
      }
    },
    abort: () => {
      for (const retrieval of early.values()) retrieval.abort()
      early.clear()
      octets = 0
    },
  }
}
