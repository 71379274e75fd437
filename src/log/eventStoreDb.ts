import { setTimeout as delay } from 'node:timers/promises'
import { GatewayError } from '../core/errors.ts'
import type { Recorded } from '../core/events.ts'
import { type EventId, origin, type Position } from '../core/ids.ts'
import type { EventLog } from '../core/ports.ts'
import { streamCategories, type StreamName } from '../core/streams.ts'
import { categoryOf, type CategoryReader, type Wanted } from './byCategory.ts'
import { appender, type Patience, patience as usual } from './eventStoreDbAppend.ts'
import { type StoreClient, storeClient, type StoreEvent, type StorePosition } from './eventStoreDbClient.ts'
import { StoreFailure } from './eventStoreDbFailure.ts'
import { type Follower, followStore } from './eventStoreDbFollow.ts'
import { positionOf, storePositionOf } from './eventStoreDbPosition.ts'
import { storeConnection } from './eventStoreDbConnection.ts'
import { factOf, notJson } from './readable.ts'

export type EventStoreDbOptions = {
  /** The connection string, credentials and all. */
  readonly url: string
  readonly patience?: Patience
  /** The subscription was dropped, for this reason, or is there again: until then events come late. */
  readonly onState?: (away: string | undefined) => void
}

/**
 * The log in EventStoreDB 22.6 or later, or in KurrentDB. Any number of processes may write it. Use one in a thread: the
 * client keeps what waits for an answer in one place for all of its connections.
 * Constructing it reaches nobody; throws `start-refused` when the connection string cannot be used.
 */
export const eventStoreDbLog = ({
  url,
  patience = usual,
  onState = () => {},
}: EventStoreDbOptions): EventLog & CategoryReader => {
  const client = refusingToStart(() => storeClient(url))
  const connection = storeConnection(() =>
    client.readAll('end', { backwards: true, limit: 1, within: patience.request }),
  )
  const appends = appender({ client, patience, connection })
  const reader = storeReader(client, patience)
  const followers = new Set<Follower>()
  const state = (away: StoreFailure | undefined) => onState(away && describe(away))
  return {
    ...reader,
    append: appends.append,
    subscribe: (...subscriber) => {
      const follower = followStore({ client, recorded, fatal: deniedToRead, onState: state }, subscriber)
      followers.add(follower)
      void follower.ended.then(() => followers.delete(follower))
      return { close: follower.close }
    },
    close: once(async () => {
      await Promise.all([...followers].map((follower) => follower.close()))
      await appends.close()
      connection.close()
      await client.close()
    }),
  }
}

const once = (work: () => Promise<void>) => {
  let done: Promise<void> | undefined
  return () => (done ??= work())
}

const refusingToStart = <T>(work: () => T): T => {
  try {
    return work()
  } catch (cause) {
    const detail = `The event store's url cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new GatewayError('start-refused', { detail, cause })
  }
}

const describe = (failure: StoreFailure) => `the event store cannot be reached (${failure.message})`

/** Neither waiting nor asking again gives a right. */
const deniedToRead = (failure: StoreFailure): GatewayError | undefined => {
  if (failure.kind === 'denied')
    return new GatewayError('start-refused', {
      detail: 'The event store refuses: are user and password right, and may the user read $all?',
      cause: failure,
    })
  if (failure.kind === 'refused')
    return new GatewayError('start-refused', {
      detail: `The event store cannot be used: ${failure.message}`,
      cause: failure,
    })
  return undefined
}

/** Events asked for at once; the store sends them one by one. */
const page = 1_000

const storeReader = (
  client: StoreClient,
  { request: within }: Patience,
): Pick<EventLog, 'readStream' | 'readLast' | 'readAll' | 'head'> & CategoryReader => {
  /** The last event of ours that is known: where a search for the head may end. */
  let known: StorePosition | undefined
  const note = (position: StorePosition) => {
    if (!known || isLater(position, known)) known = position
  }

  type Sought = { readonly accepts: (stream: string) => boolean; readonly to?: StorePosition }

  /** Events that nobody asked for are not read: they may be of a newer version's making. */
  const search = async (after: StorePosition | 'start', limit: number, { accepts, to }: Sought) => {
    const isSought = ({ stream, position }: StoreEvent) => accepts(stream) && !(to && isLater(position, to))
    const found: StoreEvent[] = []
    for (let from = after; found.length < limit;) {
      const wanted = Math.min(limit - found.length + 1, page)
      const events: readonly StoreEvent[] = await client.readAll(from, { limit: wanted, within })
      // The first is the one that was given before: this way of reading begins at a place, not behind it.
      found.push(...events.filter((event) => isAfter(event.position, from) && isSought(event)))
      const last = events.at(-1)
      if (last === undefined || events.length < wanted || !isAfter(last.position, from)) break
      if (to && !isLater(to, last.position)) break
      from = last.position
    }
    return found.slice(0, limit)
  }

  const readAll = async (after: StorePosition | 'start', limit: number): Promise<readonly Recorded[]> => {
    const ours = await search(after, limit, { accepts: isOurs })
    const last = ours.at(-1)
    if (last) note(last.position)
    return ours.map(recorded)
  }

  const readCategories = async ({ categories, after, to, limit }: Wanted): Promise<readonly Recorded[]> => {
    const end = storePositionOf(to)
    if (end === 'start') return []
    const accepts = (stream: string) => isOurs(stream) && (categories as readonly string[]).includes(categoryOf(stream))
    return (await search(storePositionOf(after), limit, { accepts, to: end })).map(recorded)
  }

  const head = async (): Promise<Position> => {
    const bound = known
    for (let from: StorePosition | 'end' = 'end', limit = 8; ; limit = Math.min(8 * limit, page)) {
      const events: readonly StoreEvent[] = await client.readAll(from, { backwards: true, limit, within })
      const ours = events.find(({ stream }) => isOurs(stream))
      if (ours) note(ours.position)
      const last = events.at(-1)
      const isOver = !last || events.length < limit || (bound && !isLater(last.position, bound))
      if (ours || isOver) return known ? positionOf(known) : origin
      from = last.position
    }
  }

  return {
    readStream: (stream, revision, limit) =>
      reading(async () => (await client.readStream(stream, revision, { limit, within })).map(recorded)),
    readLast: (stream) =>
      reading(
        async () => (await client.readStream(stream, 'end', { backwards: true, limit: 1, within })).map(recorded)[0],
      ),
    readAll: (position, limit) => reading(() => readAll(storePositionOf(position), limit)),
    readCategories: (wanted) => reading(() => readCategories(wanted)),
    head: () => reading(head),
  }
}

/** A leader that has gone is answered for by the next at once, once the client has heard of it. */
const readingAttempts = 3
/** Milliseconds before the second attempt; before the third, twice that. */
const readingPause = 50

const reading = async <T>(read: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error
      const denied = deniedToRead(error)
      if (denied) throw denied
      if (attempt === readingAttempts) throw new GatewayError('storage-failed', { cause: error })
      await delay(attempt * readingPause)
    }
  }
}

const isLater = (a: StorePosition, b: StorePosition) =>
  a.commit === b.commit ? a.prepare > b.prepare : a.commit > b.commit
const isAfter = (position: StorePosition, from: StorePosition | 'start') => from === 'start' || isLater(position, from)

const ours = new RegExp(`^(?:${streamCategories.join('|')})-`)
const isOurs = (stream: string): stream is StreamName => ours.test(stream)

/** Its id, stream and revision are the store's word. */
const recorded = ({ id, stream, revision, type, data, metadata, created, position }: StoreEvent): Recorded => {
  const place = { position: positionOf(position), stream: stream as StreamName, revision, type }
  return factOf({
    ...place,
    id: id as EventId,
    recordedAt: created.toISOString(),
    metadata,
    data: () => {
      // What is no JSON comes as the text that it is. Every fact's data is an object.
      if (typeof data !== 'object' || data === null) throw notJson(place, 'data')
      return data
    },
  })
}
