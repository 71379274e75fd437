import type { Position } from '../core/ids.ts'
import type { EventLog } from '../core/ports.ts'

/** For how long what is known of mailboxes and senders may be out of date. */
export type MailboxesLag = {
  /**
   * Seconds since the first moment of which it is not known that what the log held then has been folded; 0 when that is known
   * of the last one that was asked about.
   */
  seconds(): number
  close(): void
}

export type MailboxesLagParts = {
  readonly log: Pick<EventLog, 'head'>
  /** Up to where the mailboxes are. */
  readonly position: () => Position
  /** Milliseconds between two questions. */
  readonly every?: number
}

/** Milliseconds after which the log is asked anew: an answer may never come. */
const patience = 5_000

/**
 * Asks again and again where the log ends, and whether the mailboxes have come as far. A log that does not answer, and views that
 * stand still, for whatever reason, are the same to it.
 */
export const watchMailboxes = ({ log, position, every = 1_000 }: MailboxesLagParts): MailboxesLag => {
  let since: number | undefined
  let head: Position | undefined
  let askedAt = -Infinity
  const settled = () => {
    if (head === undefined || position() < head) return false
    since = head = undefined
    askedAt = -Infinity
    return true
  }
  const look = () => {
    settled()
    const now = performance.now()
    since ??= now
    if (head !== undefined || now - askedAt < patience) return
    askedAt = now
    const question = since
    log.head().then(
      (found) => {
        // An answer to an earlier question may come late, and knows nothing of this one.
        if (since === question) head ??= found
        settled()
      },
      () => (askedAt = -Infinity),
    )
  }
  const timer = setInterval(look, every).unref()
  return {
    seconds: () => (since === undefined || settled() ? 0 : (performance.now() - since) / 1000),
    close: () => clearInterval(timer),
  }
}
