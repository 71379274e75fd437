import { type ScratchGateway, type ScratchOptions, startScratchGateway } from '../../ops/scratchGateway.ts'
import { allEvents } from '../../src/allEvents.ts'
import type { Recorded } from '../../src/core/events.ts'
import type { SessionId } from '../../src/core/ids.ts'
import { pathsIn } from '../../src/dataDirectory.ts'
import { readSqliteLog } from '../../src/log/sqlite.ts'
import { replaySession } from '../../src/replaySession.ts'
import { everythingSaid, wordsIn } from './said.ts'

/**
 * A gateway of its own process for a test. When it stops or is killed, its log is examined: each session that has ended
 * runs through its machine again and has to be consistent with its record, and nothing that a client said may be found.
 */
export const startTestGateway = async (options: ScratchOptions = {}): Promise<ScratchGateway> => {
  const gateway = await startScratchGateway(options)
  const examined = async <T>(ended: Promise<T>): Promise<T> => {
    const result = await ended
    examine(await logIn(gateway.data))
    return result
  }
  return { ...gateway, stop: () => examined(gateway.stop()), kill: () => examined(gateway.kill()) }
}

/** The whole log of a data directory without its gateway. */
export const logIn = async (data: string): Promise<readonly Recorded[]> => {
  const log = readSqliteLog({ file: pathsIn(data).log })
  try {
    return await Array.fromAsync(allEvents(log))
  } finally {
    await log.close()
  }
}

const examine = (events: readonly Recorded[]) => {
  const found = wordsIn(events, everythingSaid())
  if (found.length > 0) throw new Error(`The log tells what a client said: ${found.join(', ')}`)
  const wrong = replays(events).filter(({ verdict }) => verdict !== 'consistent')
  if (wrong.length > 0) throw new Error(JSON.stringify(wrong, undefined, 2))
}

/** Every session of a log that has ended and left a transcript, run again. */
export const replays = (events: readonly Recorded[]) => {
  const streams = Map.groupBy(events, ({ stream }) => stream)
  return [...streams].flatMap(([stream, own]) =>
    own.some((event) => event.type === 'SessionClosed' && event.data.transcript !== null)
      ? [replaySession(stream.slice('session-'.length) as SessionId, own)]
      : [],
  )
}
