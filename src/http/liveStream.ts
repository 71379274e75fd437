import { asFarAsReadable } from '../core/asFarAsReadable.ts'
import { asGatewayError, GatewayError } from '../core/errors.ts'
import type { Recorded } from '../core/events.ts'
import type { Position } from '../core/ids.ts'
import type { EventLog } from '../core/ports.ts'
import { shown } from './eventRoutes.ts'
import type { Listener } from './liveFeed.ts'
import { problemOf } from './problem.ts'

export type Telling = {
  readonly log: Pick<EventLog, 'readAll'>
  readonly listener: Listener
  /** What stands in the log after this is told first. */
  readonly after: Position | undefined
  readonly wanted: (event: Recorded) => boolean
  readonly idOf: (position: Position) => string
  /** Whether whoever listens may still; asked before everything that is told. */
  readonly stillMay: () => Promise<boolean>
  /** Milliseconds between signs of life. */
  readonly heartbeat?: number
}

const everyQuarterMinute = 15_000
/** Events read at once for who resumes. */
const pageSize = 500

/**
 * The blocks of a stream of server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html), until the listener
 * leaves or may listen no longer; the last one says why it ends, where it does early.
 */
export async function* told(telling: Telling): AsyncGenerator<string> {
  try {
    for await (const block of blocks(telling)) {
      if (!(await telling.stillMay())) throw new GatewayError('not-authorized')
      yield block
    }
  } catch (error) {
    const failure = asGatewayError(error)
    yield `event: problem\ndata: ${JSON.stringify(problemOf(failure))}\n\n`
  } finally {
    telling.listener.leave()
  }
}

async function* blocks(telling: Telling): AsyncGenerator<string> {
  const { listener, wanted, idOf, heartbeat = everyQuarterMinute } = telling
  const events = (heard: readonly Recorded[]) =>
    heard.filter(wanted).map((event) => `id: ${idOf(event.position)}\ndata: ${JSON.stringify(summary(event))}\n\n`)
  // An id without data: where to go on for who comes again, who then need not look at the same once more.
  const place = (position: Position) => `id: ${idOf(position)}\n\n`

  yield 'retry: 3000\n\n'
  for await (const page of past(telling)) {
    yield* events(page)
    const last = page.at(-1)
    if (last) yield place(last.position)
  }
  yield place(listener.from)
  let at = listener.from
  // At an even pace, whatever happens meanwhile: it tells nobody how much there is that he may not know.
  for (let due = performance.now() + heartbeat; ;) {
    const heard = await listener.heard(Math.max(0, due - performance.now()))
    if (heard === undefined) return
    yield* events(heard)
    at = heard.at(-1)?.position ?? at
    if (performance.now() < due) continue
    yield `: still here\n${place(at)}`
    due = performance.now() + heartbeat
  }
}

/** Up to where the listener begins to hear, and only as long as there is one. */
async function* past({ log, after, listener: { from, ended } }: Telling): AsyncGenerator<readonly Recorded[]> {
  for (let at = after; at !== undefined && at < from && !ended.aborted;) {
    const reading: Position = at
    const { events } = await asFarAsReadable((limit) => log.readAll(reading, limit), pageSize)
    yield events.filter(({ position }) => position <= from)
    at = events.at(-1)?.position
  }
}

/** A transcript may be long, and who wants it asks for the session. */
const summary = (event: Recorded) => {
  const all = shown(event)
  return event.type === 'SessionClosed' ? { ...all, data: { ...event.data, transcript: null } } : all
}
