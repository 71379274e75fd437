import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { healthPath, metricsPath, readyPath } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { problems } from './problem.ts'

const Health = Type.Object({ status: Type.Literal('ok') })
const Readiness = Type.Object({
  status: Type.Union([Type.Literal('ready'), Type.Literal('not-ready')]),
  checks: Type.Array(
    Type.Object({
      name: Type.String({ description: 'log, vault, keys, disk, views or certificate.' }),
      ok: Type.Boolean(),
      detail: Type.String(),
    }),
  ),
})
/** prometheus.io/docs/instrumenting/exposition_formats */
const metricsType = 'text/plain; version=0.0.4; charset=utf-8'

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const healthRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, { observation, metricsAreOpen }) => {
  const health = { summary: 'The process lives', security: [], response: { 200: Health } }
  app.get(healthPath, { config: { access: 'public' }, schema: health }, () => ({ status: 'ok' as const }))

  const ready = {
    summary: 'Whether the gateway does its work, point by point',
    description:
      '503 when a check is not well. Mail may be received all the same, and nothing is lost: senders are put off where it ' +
      'cannot be. /v1/status says more of the views.',
    security: [],
    response: { 200: Readiness, 503: Readiness },
  }
  app.get(readyPath, { config: { access: 'public' }, schema: ready }, async (_, reply) => {
    const checks = [...(await observation.checks())]
    const well = checks.every(({ ok }) => ok)
    return reply.code(well ? 200 : 503).send({ status: well ? 'ready' : 'not-ready', checks })
  })

  const metrics = {
    summary: 'Everything that is measured, as Prometheus reads it',
    ...(metricsAreOpen && { security: [] }),
    response: { 200: { content: { [metricsType]: { schema: Type.String() } } }, ...problems },
  }
  app.get(metricsPath, { config: { access: metricsAreOpen ? 'public' : 'read' }, schema: metrics }, async (_, reply) =>
    reply.type(metricsType).send(await observation.metrics()),
  )
}
