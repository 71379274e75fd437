import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type RunCommand,
  type ScratchGateway,
  type ScratchOptions,
  startScratchGateway,
} from '../../ops/scratchGateway.ts'
import { allEvents } from '../../src/allEvents.ts'
import type { Recorded } from '../../src/core/events.ts'
import type { SessionId } from '../../src/core/ids.ts'
import { UnreadableEvent } from '../../src/core/unreadableEvent.ts'
import { pathsIn } from '../../src/dataDirectory.ts'
import { type LogPlace, readLog } from '../../src/log/openLog.ts'
import { replaySession } from '../../src/replaySession.ts'
import { runHere } from './commandHere.ts'
import { everythingSaid, wordsIn } from './said.ts'

/**
 * A gateway of its own process for a test. When it stops or is killed, its log is examined: each session that has ended
 * runs through its machine again and has to be consistent with its record, and nothing that a client said may be found.
 * Its commands run in this process: to start another for each takes longer than most tests.
 */
export const startTestGateway = async (options: ScratchOptions = {}): Promise<ScratchGateway> => {
  const runCommand: RunCommand = async (words, where) => {
    await viewsCaughtUp(placeOf(gateway.data, options), where)
    return runHere(words, where)
  }
  const gateway: ScratchGateway = await startScratchGateway({ runCommand, ...options })
  const examined = async <T>(ended: Promise<T>): Promise<T> => {
    const result = await ended
    examine(await eventsAt(placeOf(gateway.data, options)))
    return result
  }
  return { ...gateway, stop: () => examined(gateway.stop()), kill: () => examined(gateway.kill()) }
}

/** Milliseconds. */
const [lookEvery, longest] = [10, 60_000]

/**
 * What was acknowledged is in the views a moment later, and a program takes longer than that to start. Waits until they have
 * all that the log has now; not where that is in a store elsewhere, nor where the views cannot be asked or do not go on.
 */
const viewsCaughtUp = async (place: LogPlace, where: Parameters<RunCommand>[1]) => {
  const head = await headOf(place).catch(() => undefined)
  if (head === undefined) return
  for (const until = performance.now() + longest; performance.now() < until;) {
    const shown = await runHere(['status', '--json'], where).catch(() => undefined)
    if (shown === undefined) return
    const { state, position } = (JSON.parse(shown.toString()) as Status).views
    if (state !== 'live' || (position ?? '') >= head) return
    await delay(lookEvery)
  }
}
type Status = { readonly views: { readonly state: string; readonly position: string | null } }

const headOf = async (place: LogPlace) => {
  if (place.engine !== 'sqlite' || !existsSync(place.file)) return undefined
  const log = await readLog(place)
  try {
    return await log.head()
  } finally {
    await log.close()
  }
}

const placeOf = (data: string, { env = {} }: ScratchOptions): LogPlace =>
  env['SEALPOST_LOG_ENGINE'] === 'eventstoredb'
    ? { engine: 'eventstoredb', url: env['SEALPOST_LOG_URL'] ?? '' }
    : { engine: 'sqlite', file: pathsIn(data).log }

/** The log of a data directory, or where its configuration says, without its gateway, up to an event that cannot be read. */
export const logIn = (data: string, env: ScratchOptions['env'] = {}): Promise<readonly Recorded[]> =>
  eventsAt(placeOf(data, { env }))

const eventsAt = async (place: LogPlace): Promise<readonly Recorded[]> => {
  const log = await readLog(place)
  const events: Recorded[] = []
  try {
    for await (const event of allEvents(log)) events.push(event)
    return events
  } catch (error) {
    if (error instanceof UnreadableEvent) return events
    throw error
  } finally {
    await log.close()
  }
}

/** What is in the log does not change: no session is run again twice, however often its gateway is restarted. */
const consistent = new Set<string>()

const examine = (events: readonly Recorded[]) => {
  const found = wordsIn(events, everythingSaid())
  if (found.length > 0) throw new Error(`The log tells what a client said: ${found.join(', ')}`)
  const ended = events.filter((event) => event.type === 'SessionClosed' && event.data.transcript !== null)
  const streams = Map.groupBy(events, ({ stream }) => stream)
  for (const stream of ended.map((event) => event.stream).filter((name) => !consistent.has(name))) {
    const replay = replaySession(stream.slice('session-'.length) as SessionId, streams.get(stream) ?? [])
    if (replay.verdict !== 'consistent') throw new Error(JSON.stringify(replay, undefined, 2))
    consistent.add(stream)
  }
}
