import type { FastifyInstance } from 'fastify'
import { GatewayError } from '../core/errors.ts'
import { sendProblem } from './problem.ts'

/** From the moment at which the app closes, requests that still come in on an open connection are put off. */
export const refuseWhileClosing = (app: FastifyInstance): void => {
  let isClosing = false
  app.addHook('preClose', (done) => {
    isClosing = true
    done()
  })
  app.addHook('onRequest', async (_, reply) =>
    isClosing ? sendProblem(reply, new GatewayError('shutting-down')) : undefined,
  )
}
