import { setTimeout as delay } from 'node:timers/promises'
import { GatewayError } from '../core/errors.ts'
import type { CommandId } from '../core/ids.ts'
import type { Append, Appended, Expected } from '../core/ports.ts'
import type { ProposedEvent, StoreClient, StoreEvent } from './eventStoreDbClient.ts'
import { StoreFailure } from './eventStoreDbFailure.ts'
import { positionOf } from './eventStoreDbPosition.ts'
import { boundedMap } from './boundedMap.ts'
import { notWritten, storable } from './storedEvent.ts'

/** Milliseconds. */
export type Patience = {
  /** One request to the store: longer than a cluster needs to choose a new leader and commit. */
  readonly request: number
  /** All attempts of one append, after which its caller is told what is known. A mail server waits far longer. */
  readonly append: number
  /** The same as long as nothing was sent: another node may be about to take over. */
  readonly unsent: number
  /** Between attempts, at first; doubled each time up to twenty times as much. */
  readonly pause: number
}

export const patience: Patience = { request: 5_000, append: 12_000, unsent: 3_000, pause: 50 }

/** Appends that wait for the store. Sessions are limited to far fewer; past this something runs wild. */
const inFlightLimit = 20_000
/** Answers kept for repeats of the same command, and commands whose outcome nobody knows. */
const remembered = 10_000
/** Events that a repeat looks back through for those of its first attempt; beyond it the outcome stays unknown. */
const lookBack = 5_000
const page = 500

/** A write on its way: what the store gets, whatever becomes of the caller's objects. */
type Command = {
  readonly stream: string
  readonly commandId: CommandId
  readonly expected: Expected
  readonly events: readonly ProposedEvent[]
}

export type Appender = {
  append(append: Append): Promise<Appended>
  /** Refuses what comes from now on; what is under way is brought to its end. */
  close(): Promise<void>
}

export type AppenderParts = {
  readonly client: Pick<StoreClient, 'append' | 'readStream'>
  readonly patience: Patience
  /** Told of every attempt that reached the store or did not, and asked before the first. */
  readonly connection: Connection
}

/** What is known of the way to the store. */
export type Connection = {
  /** Why appends are refused unsent; undefined while the store can be reached. */
  away(): StoreFailure | undefined
  lost(failure: StoreFailure): void
  reached(): void
}

/**
 * Appends to the store, each until its outcome is known or its time is over. The store recognises the events of a repeat
 * by their ids for sure only at an exact revision. So a repeat of an append at any revision first looks for its events,
 * and then writes exactly behind the last event that it saw.
 */
export const appender = ({ client, patience, connection }: AppenderParts): Appender => {
  const running = new Map<CommandId, { readonly count: number; readonly outcome: Promise<Appended> }>()
  const answered = boundedMap<CommandId, { readonly count: number; readonly appended: Appended }>(remembered)
  const unsettled = boundedMap<CommandId, true>(remembered)
  let closed = false

  const bringToAnEnd = async (command: Command): Promise<Appended> => {
    const before = unsettled.has(command.commandId)
    const unreached = connection.away()
    if (unreached) throw before ? unknown(unreached) : unsent(unreached)
    try {
      const appended = await attempts({ client, patience, connection }, command, before)
      unsettled.delete(command.commandId)
      answered.set(command.commandId, { count: command.events.length, appended })
      return appended
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'outcome-unknown') unsettled.set(command.commandId, true)
      throw error
    }
  }

  const refused = () => {
    if (closed) return 'the log is closed'
    return running.size >= inFlightLimit ? `${inFlightLimit} appends are waiting already` : undefined
  }

  const append = (wanted: Append): Promise<Appended> => {
    const command = commandOf(wanted)
    const { commandId, events } = command
    const earlier = answered.get(commandId)
    if (earlier?.count === events.length) return Promise.resolve(earlier.appended)
    const same = running.get(commandId)
    if (same?.count === events.length) return same.outcome
    if (earlier || same) throw usedForAnother()
    const refusal = refused()
    if (refusal !== undefined) throw unsettled.has(commandId) ? unknown(new Error(refusal)) : notWritten(refusal)
    const outcome = bringToAnEnd(command).finally(() => running.delete(commandId))
    running.set(commandId, { count: events.length, outcome })
    return outcome
  }

  return {
    append: (wanted) => Promise.try(() => append(wanted)),
    close: async () => {
      closed = true
      await Promise.allSettled([...running.values()].map(({ outcome }) => outcome))
    },
  }
}

const commandOf = (append: Append): Command => {
  const { stream, expected, events } = storable(append)
  const { commandId } = append
  // Parsed again: the client writes the JSON itself, and later than now.
  const proposed = events.map(({ id, type, data, metadata }) => ({
    id,
    type,
    data: JSON.parse(data) as ProposedEvent['data'],
    metadata: JSON.parse(metadata) as ProposedEvent['metadata'],
  }))
  return { stream, expected, commandId, events: proposed }
}

const unsent = (cause: StoreFailure) => new GatewayError('not-written', { cause })
const unknown = (cause: unknown) => new GatewayError('outcome-unknown', { cause })
const usedForAnother = () => notWritten('the command id was used for another append')

/** One append, again and again; `mayBeThere` if an earlier one left it open whether the events were written. */
const attempts = async ({ client, patience, connection }: AppenderParts, command: Command, before: boolean) => {
  const begun = Date.now()
  let mayBeThere = before
  for (let pause = patience.pause; ; pause = Math.min(2 * pause, 20 * patience.pause)) {
    try {
      const appended = await attempt({ client, within: patience.request }, command, mayBeThere)
      connection.reached()
      return appended
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error
      if (error.kind === 'refused' || error.kind === 'denied') throw mayBeThere ? unknown(error) : unsent(error)
      if (error.kind === 'unknown') mayBeThere = true
      const isOver = Date.now() + pause > begun + (mayBeThere ? patience.append : patience.unsent)
      if (isOver) connection.lost(error)
      if (isOver || (!mayBeThere && connection.away())) throw mayBeThere ? unknown(error) : unsent(error)
    }
    await delay(pause)
  }
}

type Way = { readonly client: AppenderParts['client']; readonly within: number }

const attempt = async (way: Way, command: Command, mayBeThere: boolean): Promise<Appended> => {
  if (command.expected === 'any' && mayBeThere) return repeatAtAny(way, command)
  try {
    return await write(way, command, command.expected)
  } catch (error) {
    if (!isWrongVersion(error)) throw error
    return afterWrongVersion(way, command, mayBeThere)
  }
}

const isWrongVersion = (error: unknown) => error instanceof StoreFailure && error.kind === 'wrong-version'

const write = async (way: Way, { stream, events }: Command, expected: Expected): Promise<Appended> => {
  const { client, within } = way
  const { revision, position } = await client.append({ stream, expected, events, within })
  if (position) return { revision, position: positionOf(position) }
  // It is written: whatever keeps it from being read, it may never be called not written.
  const [last] = await client.readStream(stream, revision, { limit: 1, within }).catch((error: unknown) => {
    throw new StoreFailure('unknown', error)
  })
  if (last?.id !== events.at(-1)?.id) throw new StoreFailure('unknown', new Error('what was written is not to be read'))
  return answerOf(last as StoreEvent)
}

const answerOf = ({ revision, position }: StoreEvent): Appended => ({ revision, position: positionOf(position) })

/** The store says that the stream is not as expected: because of another writer, or of this very append? */
const afterWrongVersion = async (
  { client, within }: Way,
  { stream, expected, events }: Command,
  mayBeThere: boolean,
): Promise<Appended> => {
  // At any revision only a command id that begins like an earlier one is refused so.
  if (expected === 'any') throw usedForAnother()
  const first = expected === 'no-stream' ? 0 : expected + 1
  const found = await client.readStream(stream, first, { limit: events.length, within })
  // What is there cannot be seen yet, and it may be ours. Only a stream shorter than expected is empty there and a conflict.
  if (found.length === 0 && (mayBeThere || expected === 'no-stream'))
    throw new StoreFailure('unknown', new Error('the stream is not as expected, and shows nothing'))
  if (found[0] === undefined || found[0].id !== events[0]?.id) throw new GatewayError('revision-conflict')
  const last = found.at(-1)
  if (last === undefined || last.id !== events.at(-1)?.id || found.length < events.length) throw usedForAnother()
  return answerOf(last)
}

/** Looks for the events from the end of the stream; if they are not there, writes them exactly at that end. */
const repeatAtAny = async (way: Way, command: Command): Promise<Appended> => {
  const { stream, events } = command
  const [firstId, lastId] = [events[0]?.id, events.at(-1)?.id]
  let end: number | undefined
  let last: StoreEvent | undefined
  for (let from: number | 'end' = 'end', seen = 0; ;) {
    const found: readonly StoreEvent[] = await way.client.readStream(stream, from, {
      backwards: true,
      limit: page,
      within: way.within,
    })
    end ??= found[0]?.revision ?? -1
    last ??= found.find(({ id }) => id === lastId)
    if (found.some(({ id }) => id === firstId)) {
      if (last === undefined) throw usedForAnother()
      return answerOf(last)
    }
    const lowest = found.at(-1)?.revision ?? 0
    seen += found.length
    if (lowest === 0) break
    if (seen >= lookBack) throw unknown(new Error(`not among the last ${lookBack} events of the stream`))
    from = lowest - 1
  }
  // A wrong version means that the stream has grown since: by another writer or by the first attempt.
  return write(way, command, end === -1 ? 'no-stream' : end).catch((error: unknown) => {
    throw isWrongVersion(error) ? new StoreFailure('unknown', error) : error
  })
}
