import type { Cause, Fact, Stamp } from './core/events.ts'
import { eventId, newCommandId } from './core/ids.ts'
import type { EventLog } from './core/ports.ts'
import { gatewayStream } from './core/streams.ts'

type Recording = {
  readonly log: Pick<EventLog, 'append'>
  readonly stamp: Stamp
  readonly cause: Cause
  readonly node: string
}

/** Records what happens to the gateway itself, in its own stream. Rejects as the log does. */
export const recordGateway =
  ({ log, stamp, cause, node }: Recording) =>
  async (fact: Fact) => {
    const commandId = newCommandId()
    const events = [stamp(fact, cause)]
    const { position } = await log.append({ stream: gatewayStream(node), expected: 'any', commandId, events })
    return { event: eventId(commandId, 0), position }
  }
