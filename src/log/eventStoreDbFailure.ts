/**
 * What became of a request to the event store.
 * `wrong-version`: the stream is not as the writer expected it; nothing was written by this request.
 * `refused`: never, however often it is asked. `denied`: these credentials may not.
 * `not-taken`: it was not sent, or not by a node that takes it; the same may succeed later.
 * `unknown`: it was sent and no answer came; a write may have been done.
 */
export type StoreFailureKind = 'wrong-version' | 'refused' | 'denied' | 'not-taken' | 'unknown'

export class StoreFailure extends Error {
  readonly kind: StoreFailureKind
  constructor(kind: StoreFailureKind, cause: unknown) {
    super(cause instanceof Error && cause.message !== '' ? cause.message : kind, { cause })
    this.name = 'StoreFailure'
    this.kind = kind
  }
}
