import type { ViewReader } from '../projections/projection.ts'
import { openSessions } from '../projections/sessions.ts'
import type { Cause, Fact, Stamp } from './core/events.ts'
import { type EventId, newCommandId, type Position, type SessionId } from './core/ids.ts'
import type { EventLog } from './core/ports.ts'
import { sessionStream } from './core/streams.ts'

export type LostSessionsParts = {
  readonly reader: ViewReader
  /** Resolves when `reader` shows everything up to a position. */
  visible(position: Position): Promise<void>
  readonly log: Pick<EventLog, 'append'>
  readonly stamp: Stamp
  /** This gateway: another one's on the same log may be alive. Undefined where no other one can be, whatever its name was. */
  readonly node: string | undefined
  /** The event of the start: what was opened before it is of an earlier run. */
  readonly started: { readonly event: EventId; readonly position: Position }
}

/** Sessions that are read, and closed in one go. */
const atOnce = 500

const lost: Fact = {
  type: 'SessionClosed',
  data: { outcome: 'lost', octetsIn: null, octetsOut: null, transcript: null, transcriptSha256: null },
}

/**
 * Closes the sessions that an earlier run of this gateway left open when it ended without warning; gives their number.
 * Takes as long as the views take to come up to the start: until then one that has ended may look open.
 */
export const closeLostSessions = async (parts: LostSessionsParts): Promise<number> => {
  const { reader, visible, log, stamp, node, started } = parts
  const close = ({ sessionId }: { readonly sessionId: SessionId }) => {
    const cause: Cause = { principal: 'system', correlationId: sessionId, causationId: started.event }
    const events = [stamp(lost, cause)]
    return log.append({ stream: sessionStream(sessionId), expected: 'any', commandId: newCommandId(), events })
  }
  let count = 0
  let after: Position | undefined
  do {
    // Views that were opened anew meanwhile may be behind again.
    await visible(started.position)
    const page = openSessions(reader, node, { after, before: started.position, limit: atOnce })
    await Promise.all(page.items.map(close))
    count += page.items.length
    after = page.next
  } while (after)
  return count
}
