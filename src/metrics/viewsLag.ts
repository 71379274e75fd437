import type { Position } from '../core/ids.ts'
import type { Clock, EventLog } from '../core/ports.ts'

export type ViewsLagParts = {
  readonly log: Pick<EventLog, 'head'>
  readonly views: { status(): { readonly position: Position } }
  readonly clock: Clock
}

/**
 * Tells for how many seconds, at the least, an event has been in the log that is not in the views yet; 0 when nothing was
 * found that they lack. Each call looks where the log ends, so the answer is as exact as the calls are frequent. Rejects
 * with what the log rejects with.
 */
export const viewsLag = ({ log, views, clock }: ViewsLagParts): (() => Promise<number>) => {
  let lacked: { readonly head: Position; readonly since: number } | undefined
  return async () => {
    const isLacking = (head: Position) => views.status().position < head
    if (lacked && isLacking(lacked.head)) return (clock.now().getTime() - lacked.since) / 1000
    const since = clock.now().getTime()
    const head = await log.head()
    lacked = isLacking(head) ? { head, since } : undefined
    return 0
  }
}
