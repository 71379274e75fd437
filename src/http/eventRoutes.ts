import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import { GatewayError } from '../core/errors.ts'
import { type EventFilter, isCorrelation, isEventType, isPrincipal, isStreamName, timeOf } from '../core/eventFilter.ts'
import type { Recorded } from '../core/events.ts'
import { subjectOf } from '../audit.ts'
import { causeOf } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { eventPage } from './eventPage.ts'
import { after, limit, next, pagesOf } from './pages.ts'
import { problems } from './problem.ts'

export const Event = Type.Object({
  id: Type.String(),
  stream: Type.String(),
  revision: Type.Integer(),
  position: Type.String({ description: 'Its place in the one order of all events; opaque, later is greater.' }),
  recordedAt: Type.String({ description: "By the log's own clock." }),
  type: Type.String(),
  data: Type.Unknown(),
  metadata: Type.Unknown(),
})
const Events = Type.Object({ events: Type.Array(Event), next })
const time = Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601: a date, or date and time with zone.' }))
/** Which events, but for their time. */
export const filters = {
  stream: Type.Optional(Type.String({ maxLength: 210 })),
  type: Type.Optional(Type.String({ maxLength: 64 })),
  principal: Type.Optional(
    Type.String({
      maxLength: 210,
      description: 'Who caused it: `peer:<address>`, `administrator:<name>`, `token:<id>`, `local:<user>` or `system`.',
    }),
  ),
  correlation: Type.Optional(Type.String({ maxLength: 200, description: 'The session or request it belongs to.' })),
}
const Wanted = Type.Object({ ...filters, since: time, until: time, after, limit }, { additionalProperties: false })
const lines = 'application/x-ndjson'

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const eventRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, { log, cursors, audit }) => {
  const content = { 'application/json': { schema: Events }, [lines]: { schema: Type.String() } }
  const schema = {
    summary: 'The event log',
    description: `In its one order; with \`Accept: ${lines}\` one event a line and \`next\` in the header Sealpost-Next. A page may be empty and yet have a next one.`,
    querystring: Wanted,
    response: { 200: { description: 'A page', content }, ...problems },
  }
  app.get('', { config: { access: 'review' }, schema }, async (request, reply) => {
    const { stream, type, principal, correlation, since, until } = request.query
    const pages = pagesOf(cursors, 'events', stream, type, principal, correlation, since, until)
    const filter = filterOf(request.query)
    const wanted = pages.request(request.query)
    await audit.read({ record: 'events', ...subjectOf(filter.stream) }, causeOf(request))
    const page = await eventPage(log, filter, wanted)
    const next = pages.next(page)
    if (request.headers.accept?.includes(lines) !== true)
      return reply.type('application/json').send({ events: page.events.map(shown), next })
    if (next !== null) void reply.header('sealpost-next', next)
    return reply.type(lines).send(page.events.map((event) => `${JSON.stringify(shown(event))}\n`).join(''))
  })
}

export const shown = ({
  id,
  stream,
  revision,
  position,
  recordedAt,
  type,
  data,
  metadata,
}: Recorded): Static<typeof Event> => ({
  id,
  stream,
  revision,
  position,
  recordedAt,
  type,
  data,
  metadata,
})

/** Throws `request-invalid`. */
export const filterOf = ({
  stream,
  type,
  principal,
  correlation,
  since,
  until,
}: Static<typeof Wanted>): EventFilter => ({
  stream: read('stream', stream, (text) => (isStreamName(text) ? text : undefined)),
  type: read('type', type, (text) => (isEventType(text) ? text : undefined)),
  principal: read('principal', principal, (text) => (isPrincipal(text) ? text : undefined)),
  correlation: read('correlation', correlation, (text) => (isCorrelation(text) ? text : undefined)),
  since: read('since', since, timeOf),
  until: read('until', until, timeOf),
})

const read = <T>(name: string, text: string | undefined, of: (text: string) => T | undefined): T | undefined => {
  if (text === undefined) return undefined
  const value = of(text)
  if (value === undefined) throw new GatewayError('request-invalid', { detail: `querystring/${name} is not valid` })
  return value
}
