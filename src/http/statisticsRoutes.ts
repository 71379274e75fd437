import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { lengthOf, startOf, statisticsBetween, type Unit } from '../../projections/statistics.ts'
import { GatewayError } from '../core/errors.ts'
import type { AdminApi } from './buildApp.ts'
import { literals } from './literals.ts'
import { mustBeBuilt } from './messageRoutes.ts'
import { periodOf, since, until } from './period.ts'
import { problems } from './problem.ts'

const units = ['minute', 'hour', 'day'] as const
const Wanted = Type.Object(
  {
    per: Type.Optional(literals(...units)),
    since: since('Happened'),
    until: until('Happened'),
  },
  { additionalProperties: false },
)
const Statistics = Type.Object({
  per: literals(...units),
  statistics: Type.Array(
    Type.Object({
      start: Type.String({ description: 'When the minute, hour or day (UTC) began.' }),
      received: Type.Integer({ description: 'Messages.' }),
      octetsReceived: Type.Integer({ description: 'Of their plaintext.' }),
      retrieved: Type.Integer({ description: 'Retrievals of messages, whole or of their beginning.' }),
      octetsRetrieved: Type.Integer({ description: 'Of the plaintext of what was retrieved.' }),
      refused: Type.Integer({
        description: 'Refusals of whatever kind; of the running minute they are not counted yet.',
      }),
      sessions: Type.Integer({ description: 'Sessions of peers that began.' }),
    }),
  ),
})
/** Of a chart: more are not drawn. */
const maxItems = 1500
/** How many there are when nobody says since when. */
const usual: Readonly<Record<Unit, number>> = { minute: 60, hour: 48, day: 30 }

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const statisticsRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, { views, clock }) => {
  const schema = {
    summary: 'What happened per minute, hour or day',
    description: `For charts: the quiet ones are there too. At most ${maxItems} at once; without \`since\` the last hour, two days or thirty days.`,
    querystring: Wanted,
    response: { 200: Statistics, ...problems },
  }
  app.get('', { config: { access: 'read' }, schema }, ({ query }) => {
    mustBeBuilt({ views })
    const { per = 'hour' } = query
    const period = periodOf(query)
    const until = period.until ?? clock.now().toISOString()
    const since =
      period.since ?? new Date(Math.max(0, Date.parse(until) - (usual[per] - 1) * lengthOf[per])).toISOString()
    mustBeDrawable(per, since, until)
    return { per, statistics: [...statisticsBetween(views.reader, { unit: per, since, until })] }
  })
}

const mustBeDrawable = (per: Unit, since: string, until: string) => {
  const count = (Date.parse(startOf(per, until)) - Date.parse(startOf(per, since))) / lengthOf[per] + 1
  if (count < 1) throw new GatewayError('request-invalid', { detail: '`since` must not be later than `until`' })
  if (count > maxItems) {
    const detail = `From \`since\` to \`until\` there are ${count} of them, and at most ${maxItems} are told at once: ask for a shorter time, or per hour or day`
    throw new GatewayError('request-invalid', { detail })
  }
}
