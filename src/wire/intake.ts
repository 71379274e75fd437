import { GatewayError } from '../core/errors.ts'
import { type Body, openBody } from './body.ts'
import type { Flight } from './flight.ts'

/** Octets beyond the limit that are read and dropped, for the sake of a clear answer, before the connection is closed. */
const patience = 16 * 1024 * 1024

/** The content of one message as it comes in, against the limit of its size. */
export type Intake = {
  readonly body: Body
  /** Takes content, which is dropped beyond the limit. Whether more may follow at once; else `onRoom` says when. */
  take(pieces: readonly Uint8Array[]): boolean
  /** Whether the peer sends far more than it may. */
  isFlood(): boolean
}

export const openIntake = (limit: number, onRoom: () => void, flight?: Flight): Intake => {
  const body = openBody(onRoom, flight)
  let octets = 0
  return {
    body,
    take: (pieces) => {
      let room = true
      for (const piece of pieces) {
        octets += piece.length
        if (octets > limit) body.refuse(new GatewayError('message-too-large'))
        room = body.push(piece)
      }
      return room
    },
    isFlood: () => octets > limit + patience,
  }
}
