import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inScope, type Scope } from '../core/access.ts'
import { asFarAsReadable } from '../core/asFarAsReadable.ts'
import { asGatewayError } from '../core/errors.ts'
import { matches } from '../core/eventFilter.ts'
import type { Recorded } from '../core/events.ts'
import type { Position } from '../core/ids.ts'
import { whoOf } from './authorization.ts'
import { causeOf } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { filterOf, filters, shown } from './eventRoutes.ts'
import { type Listener, liveFeed } from './liveFeed.ts'
import { found } from './mailboxRoutes.ts'
import { octets } from './octets.ts'
import { pagesOf } from './pages.ts'
import { problemOf, problems } from './problem.ts'

const Wanted = Type.Object(
  {
    ...filters,
    mailbox: Type.Optional(
      Type.String({ minLength: 1, maxLength: 320, description: 'Only what is about this mailbox.' }),
    ),
  },
  { additionalProperties: false },
)
const Resumed = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      maxLength: 200,
      description: 'The `id` of the last event that was received: what came after it follows.',
    }),
  ),
})
const streamType = 'text/event-stream'
/** Milliseconds without an event after which a sign of life is sent. */
const heartbeat = 15_000
/** Events read at once for who resumes. */
const pageSize = 500

/** Server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html). */
// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const liveRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, api) => {
  const feed = liveFeed(api)
  app.addHook('preClose', (done) => {
    feed.close()
    done()
  })
  const ids = pagesOf(api.cursors, 'live')
  const schema = {
    summary: 'What happens now, as server-sent events',
    description:
      'Each `data` is an event as /v1/events shows it, a transcript left out. Who takes too slowly is cut off; a client ' +
      'that comes again with `Last-Event-ID` misses nothing.',
    querystring: Wanted,
    headers: Resumed,
    response: { 200: octets(streamType, 'Events, until one of the two ends closes it.'), ...problems },
  }
  app.get('', { config: { access: 'review', scoped: true }, schema }, async (request, reply) => {
    const { mailbox } = request.query
    const filter = filterOf(request.query)
    const { scope } = whoOf(request)
    const mailboxes = mailbox === undefined ? scope : new Set([found(api, mailbox, request).mailboxId])
    const { after } = ids.request({ after: request.headers['last-event-id'] ?? '' })
    await api.audit.read({ record: 'events' }, causeOf(request))
    const slow = new AbortController()
    const listener = await feed.join(() => slow.abort())
    const wanted = (event: Recorded) => matches(filter, event) && isAbout(mailboxes, event)
    const stream = Readable.from(told({ listener, wanted, past: pastOf(api, after, listener), idOf }), {
      objectMode: false,
    })
    // Who goes away must not be waited for until the next event.
    stream.once('close', () => listener.leave())
    slow.signal.addEventListener('abort', () => stream.destroy())
    return reply.type(streamType).send(stream)
  })

  const idOf = (position: Position) => ids.next({ next: position }) ?? ''
}

const isAbout = (mailboxes: Scope, { data }: Recorded) =>
  mailboxes === undefined || ('mailboxId' in data && inScope(mailboxes, data.mailboxId))

/** What stands in the log after `after`, up to where the listener begins to hear. */
async function* pastOf({ log }: Pick<AdminApi, 'log'>, after: Position | undefined, { from }: Listener) {
  for (let at = after; at !== undefined && at < from;) {
    const reading: Position = at
    const { events } = await asFarAsReadable((limit) => log.readAll(reading, limit), pageSize)
    yield events.filter(({ position }) => position <= from)
    at = events.at(-1)?.position
  }
}

type Telling = {
  readonly listener: Listener
  readonly wanted: (event: Recorded) => boolean
  readonly past: AsyncIterable<readonly Recorded[]>
  readonly idOf: (position: Position) => string
}

async function* told({ listener, wanted, past, idOf }: Telling): AsyncGenerator<string> {
  const events = (heard: readonly Recorded[]) =>
    heard.filter(wanted).map((event) => `id: ${idOf(event.position)}\ndata: ${JSON.stringify(summary(event))}\n\n`)
  try {
    yield 'retry: 3000\n\n'
    for await (const page of past) yield* events(page)
    yield `id: ${idOf(listener.from)}\n\n`
    for (;;) {
      const heard = await listener.heard(heartbeat)
      if (heard === undefined) return
      yield* events(heard)
      // What is not wanted need not be looked at again by who resumes.
      const last = heard.at(-1)
      yield last && !wanted(last) ? `id: ${idOf(last.position)}\n\n` : heard.length === 0 ? ': still here\n\n' : ''
    }
  } catch (error) {
    const failure = asGatewayError(error)
    yield `event: problem\ndata: ${JSON.stringify(problemOf(failure))}\n\n`
  } finally {
    listener.leave()
  }
}

/** A transcript may be long, and who wants it asks for the session. */
const summary = (event: Recorded) => {
  const all = shown(event)
  return event.type === 'SessionClosed' ? { ...all, data: { ...event.data, transcript: null } } : all
}
