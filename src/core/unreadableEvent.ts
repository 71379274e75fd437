import { GatewayError } from './errors.ts'
import type { Position } from './ids.ts'
import type { StreamName } from './streams.ts'

/** Which event it is, as the log says it; its type may be one that this gateway does not know. */
export type EventPlace = {
  readonly position: Position
  readonly stream: StreamName
  readonly revision: number
  readonly type: string
}

/** `event-unreadable`, about one event. It is never passed over: who reads on without it must say so. */
export class UnreadableEvent extends GatewayError {
  readonly event: EventPlace
  constructor(
    { position, stream, revision, type }: EventPlace,
    about: { readonly detail: string; readonly cause?: unknown },
  ) {
    super('event-unreadable', about)
    this.event = { position, stream, revision, type }
  }
}
