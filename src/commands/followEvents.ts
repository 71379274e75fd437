import { setTimeout as delay } from 'node:timers/promises'
import { answerTo, asGatewayError, GatewayError } from '../core/errors.ts'
import type { Recorded } from '../core/events.ts'
import { type Client, problemOf } from './client.ts'
import { type Block, blocksIn } from './serverSentEvents.ts'

export type Following = {
  /** Asked for each connection: a gateway that was started again has another token. */
  readonly connect: () => Client
  /** Everything up to now. */
  readonly past: (client: Client) => AsyncIterable<Recorded>
  /** Which of what comes is wanted, as /v1/live takes it. */
  readonly query: string
  /** The connection was lost, and is tried again until there is one. */
  readonly onLost: (error: GatewayError) => void
}

/** Milliseconds of silence after which a connection is dead: the gateway gives a sign of life every 15 seconds. */
const silence = 45_000
/** Milliseconds before the first attempt at another connection; twice as many before each further one, up to the most. */
const [shortest, longest] = [250, 10_000]

/**
 * What is in the log and then what comes, each event once and in order, whatever connections break; never ends by itself.
 * Throws when the first connection fails, and later when the gateway refuses and keeps to it.
 */
export async function* followed({ connect, past, query, onLost }: Following): AsyncGenerator<Recorded> {
  const heard = (after: string | undefined) => listen(connect(), query, after)
  // What comes while the past is read is heard again from here, and left out.
  let after = await placeOf(heard(undefined))
  let last: Recorded | undefined
  for await (const event of past(connect())) yield (last = event)
  for (let failures = 0; ;) {
    try {
      for await (const { id, event, data } of heard(after)) {
        failures = 0
        if (event === 'problem') throw problemIn(data)
        const next = data === undefined ? undefined : (JSON.parse(data) as Recorded)
        if (next && (!last || next.position > last.position)) yield (last = next)
        after = id ?? after
      }
    } catch (error) {
      const failure = asGatewayError(error)
      // Once is no refusal: its token and certificate are others when a gateway starts again.
      if (!answerTo(failure.code).retry && failures > 0) throw failure
      if (failures++ === 0) onLost(failure)
    }
    await delay(Math.min(longest, shortest * 2 ** failures))
  }
}

async function* listen(client: Client, query: string, after: string | undefined): AsyncGenerator<Block> {
  const stream = await client.stream(`/v1/live${query}`, after === undefined ? {} : { 'last-event-id': after })
  stream.setTimeout(silence, () => stream.destroy())
  try {
    yield* blocksIn(stream)
  } finally {
    stream.destroy()
  }
}

/** The first place that a stream names: where its listener began to hear. */
const placeOf = async (blocks: AsyncIterable<Block>): Promise<string> => {
  for await (const { id, event, data } of blocks) {
    if (event === 'problem') throw problemIn(data)
    if (id !== undefined) return id
  }
  throw new GatewayError('connection-lost')
}

const problemIn = (data = '') => problemOf(data) ?? new GatewayError('internal')
