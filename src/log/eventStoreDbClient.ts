import {
  AccessDeniedError,
  type AllStreamResolvedEvent,
  ANY,
  type AppendExpectedRevision,
  BACKWARDS,
  CancelledError,
  END,
  EventStoreDBClient,
  type EventData,
  FORWARDS,
  MaxAppendSizeExceededError,
  NO_STREAM,
  NotLeaderError,
  type ResolvedEvent,
  START,
  StreamDeletedError,
  StreamNotFoundError,
  streamNameFilter,
  UnavailableError,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import type { Readable } from 'node:stream'
import { streamCategories } from '../core/streams.ts'
import type { Expected } from '../core/ports.ts'
import { StoreFailure } from './eventStoreDbFailure.ts'

// The one file that knows `@eventstore/db-client`. Everything that a move to another client would touch is here.

/** A place in the store's transaction log. Both numbers are octet offsets; `commit` orders, `prepare` breaks ties. */
export type StorePosition = { readonly commit: bigint; readonly prepare: bigint }

export type StoreEvent = {
  readonly id: string
  readonly stream: string
  readonly revision: number
  readonly type: string
  /** Parsed; what is no JSON is text or octets. */
  readonly data: unknown
  readonly metadata: unknown
  readonly created: Date
  readonly position: StorePosition
}

/** JSON. */
type Json = Readonly<Record<string, unknown>>
export type ProposedEvent = { readonly id: string; readonly type: string; readonly data: Json; readonly metadata: Json }

export type Write = {
  readonly stream: string
  readonly expected: Expected
  readonly events: readonly ProposedEvent[]
  /** Milliseconds until the outcome counts as unknown. */
  readonly within: number
}

/** Without a position when the store did not say it: it answers so to some repeats. */
export type Written = { readonly revision: number; readonly position: StorePosition | undefined }

export type Reading = {
  readonly backwards?: boolean
  readonly limit: number
  readonly within: number
}

/** What a subscription brings: an event, or how far the filter has looked without finding one. */
export type Followed = StoreEvent | { readonly checkpoint: StorePosition }

export type StoreFollowing = {
  /** At least one, at most `limit`, in order. Rejects with a `StoreFailure` when the subscription is over. */
  next(limit: number): Promise<readonly Followed[]>
  close(): void
}

/** The store, as far as the log needs it. Everything rejects with a `StoreFailure` and nothing else. */
export type StoreClient = {
  append(write: Write): Promise<Written>
  /** From `revision`, inclusive in both directions. A stream that does not exist is empty. */
  readStream(stream: string, revision: number | 'end', reading: Reading): Promise<readonly StoreEvent[]>
  /** From `position`: forwards inclusive, backwards exclusive. Also what is not ours, the store's own events too. */
  readAll(position: StorePosition | 'start' | 'end', reading: Reading): Promise<readonly StoreEvent[]>
  /** Events of our streams after `position` exclusive, those that exist and those to come. */
  follow(position: StorePosition | 'start', onConfirmed: () => void): StoreFollowing
  close(): Promise<void>
}

/** Events that wait in a subscription before the store is asked to pause. */
const buffered = 256
/** Events that the store's filter looks at between two checkpoints: `searchWindow` times `checkpointInterval`. */
const searchWindow = 32
const checkpointInterval = 32

/** A follower may not have yet what was written: what it does not know would be taken for what there is not. */
const ofTheLeader = { requiresLeader: true } as const

/** Throws `StoreFailure` when the connection string cannot be used, a certificate's file that is missing included. */
export const storeClient = (url: string): StoreClient => {
  const client = clientOf(url)
  const prefixes = streamCategories.map((category) => `${category}-`)
  return {
    append: async ({ stream, expected, events, within }) => {
      const options = { expectedRevision: revisionOf(expected), deadline: within, ...ofTheLeader }
      const writing = client.appendToStream(stream, events.map(eventDataOf), options)
      const { nextExpectedRevision, position } = await timed(writing, within)
      return { revision: Number(nextExpectedRevision), position }
    },
    readStream: async (stream, revision, { backwards = false, limit, within }) => {
      const fromRevision = revision === 'end' ? END : BigInt(revision)
      const direction = backwards ? BACKWARDS : FORWARDS
      try {
        return await collect(
          client.readStream(stream, { fromRevision, direction, maxCount: limit, ...ofTheLeader }),
          within,
        )
      } catch (error) {
        if (error instanceof StoreFailure && error.cause instanceof StreamNotFoundError) return []
        throw error
      }
    },
    readAll: (position, { backwards = false, limit, within }) => {
      const fromPosition = position === 'start' ? START : position === 'end' ? END : position
      const direction = backwards ? BACKWARDS : FORWARDS
      return collect(client.readAll({ fromPosition, direction, maxCount: limit, ...ofTheLeader }), within)
    },
    follow: (position, onConfirmed) => {
      const filter = streamNameFilter({
        prefixes,
        maxSearchWindow: searchWindow,
        checkpointInterval,
        // In its place among the events: those before it may not have been taken yet.
        checkpointReached: (subscription, checkpoint) =>
          void (subscription as unknown as Readable).push({ checkpoint }),
      })
      const fromPosition = position === 'start' ? START : position
      const subscription = client.subscribeToAll({ fromPosition, filter }, { highWaterMark: buffered })
      // Its type hides that it is a Transform.
      return following(subscription as unknown as CancellableStream, onConfirmed)
    },
    close: () => client.dispose(),
  }
}

/** What the client's reads and subscriptions are. */
type CancellableStream = Readable & { cancel?(): Promise<void>; unsubscribe?(): Promise<void> }

const clientOf = (url: string) => {
  try {
    // One call for each append, never BatchAppend: when the stream that all appends of a batch share breaks while some
    // wait to be written, the client leaves rejections to nobody, which end the process (ADR 3).
    const appendsOneByOne = { value: () => Promise.resolve(false) }
    return Object.defineProperty(EventStoreDBClient.connectionString(url), 'supports', appendsOneByOne)
  } catch (cause) {
    throw new StoreFailure('refused', cause)
  }
}

const revisionOf = (expected: Expected): AppendExpectedRevision => {
  if (expected === 'any') return ANY
  return expected === 'no-stream' ? NO_STREAM : BigInt(expected)
}

const eventDataOf = ({ id, type, data, metadata }: ProposedEvent): EventData => ({
  id,
  type,
  contentType: 'application/json',
  data,
  metadata,
})

/** The client leaves it to the server to keep a deadline; a server that says nothing would be waited for for ever. */
const timed = async <T>(work: Promise<T>, within: number): Promise<T> => {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${within} ms`)), within)
  try {
    return await Promise.race([work, late])
  } catch (error) {
    throw failureOf(error)
  } finally {
    clearTimeout(timer)
  }
}

/** A read to its end. Not by `for await`: a read that this side cancels never ends for it. */
const collect = async (stream: unknown, within: number): Promise<readonly StoreEvent[]> => {
  const reading = stream as CancellableStream
  const { promise: over, resolve, reject } = Promise.withResolvers<undefined>()
  const found: StoreEvent[] = []
  const take = (resolved: ResolvedEvent | AllStreamResolvedEvent) => {
    try {
      const event = storeEventOf(resolved)
      if (event) found.push(event)
    } catch (error) {
      reject(error)
    }
  }
  reading.on('data', take).once('end', () => resolve(undefined))
  // Listened to for ever: an error after the first would otherwise be nobody's.
  reading.on('error', reject)
  try {
    await timed(over, within)
    return found
  } catch (error) {
    void reading.cancel?.().catch(() => undefined)
    throw error
  }
}

const following = (subscription: CancellableStream, onConfirmed: () => void): StoreFollowing => {
  let over: StoreFailure | undefined
  let wake = () => {}
  const end = (error?: unknown) => {
    over ??= failureOf(error ?? new Error('the subscription has ended'))
    wake()
  }
  subscription.on('confirmation', onConfirmed).on('readable', () => wake())
  subscription
    .on('error', end)
    .once('end', () => end())
    .once('close', () => end())
  const take = (limit: number) => {
    const taken: Followed[] = []
    while (taken.length < limit) {
      const next = subscription.read() as ResolvedEvent | { readonly checkpoint: StorePosition } | null
      if (next === null) break
      const followed = 'checkpoint' in next ? next : storeEventOf(next)
      if (followed) taken.push(followed)
    }
    return taken
  }
  return {
    next: async (limit) => {
      for (;;) {
        const taken = take(limit)
        if (taken.length > 0) return taken
        if (over) throw over
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    close: () => {
      end()
      void subscription.unsubscribe?.().catch(() => undefined)
    },
  }
}

const largest = 2n ** 63n - 1n

/** Nothing for a link whose event is gone. Throws for a store that does not say where in its log an event lies. */
const storeEventOf = ({ event }: ResolvedEvent | AllStreamResolvedEvent): StoreEvent | undefined => {
  if (!event) return undefined
  const { id, streamId, revision, type, data, metadata, created, position } = event
  if (!position || position.commit > largest)
    throw new StoreFailure(
      'refused',
      new Error('the store does not say the positions of events: it must be 22.6 or later'),
    )
  return { id, stream: streamId, revision: Number(revision), type, data, metadata, created, position }
}

/** grpc-js says so when it had no connection to send a call over. https://grpc.io/docs/guides/wait-for-ready/ */
const neverSent = /No connection established|Name resolution failed|Failed to discover|Channel has been shut down/

/** What an error of the client means for the outcome. Some of them are raw gRPC errors, without a class. */
const failureOf = (error: unknown): StoreFailure => {
  if (error instanceof StoreFailure) return error
  if (error instanceof WrongExpectedVersionError) return new StoreFailure('wrong-version', error)
  if (error instanceof MaxAppendSizeExceededError) return new StoreFailure('refused', error)
  if (error instanceof StreamDeletedError) return new StoreFailure('refused', error)
  if (error instanceof AccessDeniedError) return new StoreFailure('denied', error)
  if (error instanceof NotLeaderError) return new StoreFailure('not-taken', error)
  if (neverSent.test(error instanceof Error ? error.message : String(error)))
    return new StoreFailure('not-taken', error)
  if (error instanceof UnavailableError || error instanceof CancelledError) return new StoreFailure('unknown', error)
  return new StoreFailure('unknown', error)
}
