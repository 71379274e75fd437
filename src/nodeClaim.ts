import { asGatewayError, GatewayError } from './core/errors.ts'
import type { Cause, Stamp } from './core/events.ts'
import { newCommandId } from './core/ids.ts'
import type { EventLog } from './core/ports.ts'
import { nodeStream } from './core/streams.ts'

export type NodeClaim = {
  readonly log: Pick<EventLog, 'append' | 'readLast'>
  readonly stamp: Stamp
  readonly cause: Cause
  readonly node: string
  /** Of the data directory. */
  readonly instance: string
  /** From whatever data directory has the name. */
  readonly takeOver: boolean
}

/**
 * Makes sure that the gateway's name belongs to its data directory, which it then does for good: under a name of another
 * gateway it would take that one's maildrops and end its sessions. Rejects with `start-refused`, saying what to do.
 */
export const claimNode = async ({ log, stamp, cause, node, instance, takeOver }: NodeClaim): Promise<void> => {
  const stream = nodeStream(node)
  const last = await log.readLast(stream)
  if (last?.type === 'NodeClaimed' && last.data.instance === instance) return
  if (last && !takeOver) throw taken(node)
  const events = [stamp({ type: 'NodeClaimed', data: { node, instance } }, cause)]
  const expected = last?.revision ?? 'no-stream'
  try {
    await log.append({ stream, expected, commandId: newCommandId(), events })
  } catch (error) {
    throw asGatewayError(error).code === 'revision-conflict' ? taken(node) : error
  }
}

const taken = (node: string) =>
  new GatewayError('start-refused', {
    detail: `The name ${node} ([gateway] node) belongs to another data directory on this log. Give this gateway a name of its own; or, if the other one is gone for good, start it once with --take-over.`,
  })
