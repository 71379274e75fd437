import { setTimeout as delay } from 'node:timers/promises'
import type { Position } from '../core/ids.ts'
import type { EventLog } from '../core/ports.ts'
import type { ProjectorReport } from './projector.ts'

type Report = (report: ProjectorReport) => void

/** What the projector says of itself while its log may come and go. */
export type Teller = {
  folded(position: Position, events: number): void
  /** The subscription's state: why the log is away, undefined when it is there again. */
  state(away: string | undefined): void
}

export type TellerParts = {
  readonly log: Pick<EventLog, 'head'>
  readonly foldedTo: () => Position
  readonly report: Report
  readonly signal: AbortSignal
}

/** Milliseconds between attempts to learn where the log ends. */
const patience = 1000

/**
 * Views that were cut off from the log may lack what others wrote meanwhile. So after the log has come back nothing is
 * told to be visible, and the views stay stalled, until they hold what was in the log at that moment.
 */
export const teller = ({ log, foldedTo, report, signal }: TellerParts): Teller => {
  let awaited: { head: Position | undefined } | undefined
  let untold = 0
  const tell = (position: Position, events: number) => {
    untold += events
    if (awaited && (awaited.head === undefined || position < awaited.head)) return
    awaited = undefined
    report({ type: 'folded', position, events: untold })
    untold = 0
  }
  const returned = async (waiting: { head: Position | undefined }) => {
    while (awaited === waiting && !signal.aborted) {
      try {
        waiting.head = await log.head()
        if (awaited === waiting) tell(foldedTo(), 0)
        return
      } catch {
        // The subscription may be there all the same, and then says no more.
        await delay(patience, undefined, { signal, ref: false }).catch(() => undefined)
      }
    }
  }
  return {
    folded: tell,
    state: (away) => {
      if (away !== undefined) {
        awaited = { head: undefined }
        report({ type: 'stalled', reason: away })
      } else if (awaited) void returned((awaited = { head: undefined }))
    },
  }
}
