import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inScope, type Scope } from '../core/access.ts'
import { matches } from '../core/eventFilter.ts'
import type { Recorded } from '../core/events.ts'
import type { Position } from '../core/ids.ts'
import { whoOf } from './authorization.ts'
import { causeOf } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { filterOf, filters } from './eventRoutes.ts'
import { goneWith } from './gone.ts'
import { liveFeed } from './liveFeed.ts'
import { told } from './liveStream.ts'
import { found } from './mailboxRoutes.ts'
import { octets } from './octets.ts'
import { pagesOf } from './pages.ts'
import { problems } from './problem.ts'

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
  // No HEAD: whoever asks for the header alone would listen without hearing.
  const options = { config: { access: 'review', scoped: true }, exposeHeadRoute: false, schema } as const
  app.get('', options, async (request, reply) => {
    const gone = goneWith(reply)
    const { mailbox } = request.query
    const filter = filterOf(request.query)
    const { principal, scope } = whoOf(request)
    const mailboxId = mailbox === undefined ? undefined : found(api, mailbox, request).mailboxId
    const mailboxes = mailboxId === undefined ? scope : new Set([mailboxId])
    const { after } = ids.request({ after: request.headers['last-event-id'] ?? '' })
    await api.audit.read({ record: 'events', ...(mailboxId && { mailboxId }) }, causeOf(request))
    const slow = new AbortController()
    const listener = await feed.join({ principal, tooSlow: () => slow.abort() })
    const wanted = (event: Recorded) => matches(filter, event) && isAbout(mailboxes, event)
    const { log } = api
    const stillMay = () => request.stillMay?.() ?? Promise.resolve(false)
    const blocks = told({ log, listener, after, wanted, idOf, stillMay })
    const stream = Readable.from(blocks, { objectMode: false })
    // Who goes away must not be waited for until the next event.
    if (gone.aborted) listener.leave()
    gone.addEventListener('abort', () => listener.leave())
    slow.signal.addEventListener('abort', () => stream.destroy())
    return reply.type(streamType).send(stream)
  })

  const idOf = (position: Position) => ids.next({ next: position }) ?? ''
}

const isAbout = (mailboxes: Scope, { data }: Recorded) =>
  mailboxes === undefined || ('mailboxId' in data && inScope(mailboxes, data.mailboxId))
