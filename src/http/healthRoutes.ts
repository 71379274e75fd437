import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { healthPath } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { ViewsState } from './statusRoutes.ts'

const Health = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('degraded')]),
  views: ViewsState,
})

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const healthRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, { views }) => {
  const schema = {
    summary: 'Whether the gateway is well',
    description:
      'Degraded means that what has been received may not be visible yet; nothing is lost, and more is received. ' +
      '/v1/status says why.',
    security: [],
    response: { 200: Health, 503: Health },
  }
  app.get(healthPath, { schema }, async (_, reply) => {
    const { state } = views.status()
    const live = state === 'live'
    return reply.code(live ? 200 : 503).send({ status: live ? 'ok' : 'degraded', views: state })
  })
}
