import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Who } from '../core/access.ts'
import { GatewayError } from '../core/errors.ts'
import type { Cause, Principal } from '../core/events.ts'
import type { SessionId } from '../core/ids.ts'
import type { Secret } from '../core/secret.ts'
import { refusalOf, whoOf } from './authorization.ts'
import { sendProblem } from './problem.ts'

/** Names the local user in the log. Believed, because whoever can read the token may do everything anyway. */
export const userHeader = 'sealpost-user'

export const healthPath = '/healthz'
export const readyPath = '/readyz'
export const metricsPath = '/metrics'

export type Authentication = {
  readonly token: Secret
  readonly refused: (source: string, kind: string) => void
}

/** Every request but those for public routes says who it is from, those for paths that do not exist too. */
export const requireAccess = (app: FastifyInstance, { token, refused }: Authentication): void => {
  const wanted = digest(token.reveal())
  const identify = (request: FastifyRequest): Who | undefined =>
    carries(request, wanted)
      ? { principal: localUser(request), role: 'admin', scope: undefined, mustChangePassword: false }
      : undefined
  app.addHook('onRequest', async (request, reply) => {
    const { config } = request.routeOptions
    if (config.access === 'public') return
    const who = identify(request)
    if (!who) {
      refused(request.ip, 'api-token')
      return sendProblem(
        reply.header('www-authenticate', 'Bearer realm="Sealpost"'),
        new GatewayError('not-authorized'),
      )
    }
    request.who = who
    const refusal = refusalOf(config, who)
    if (!refusal) return
    refused(request.ip, refusal.code)
    return sendProblem(reply, refusal)
  })
}

/** RFC 6750 §2.1. */
const carries = (request: FastifyRequest, wanted: Buffer) => {
  const [, token] = /^Bearer +([\x21-\x7e]{1,256})$/i.exec(request.headers.authorization ?? '') ?? []
  return token !== undefined && timingSafeEqual(digest(token), wanted)
}

/** Of equal length, so that the comparison takes the same time for every guess. */
const digest = (text: string) => createHash('sha256').update(text).digest()

/** Why an event happens that this request causes. */
export const causeOf = (request: FastifyRequest): Cause => ({
  principal: whoOf(request).principal,
  correlationId: request.id,
  causationId: request.id,
  source: request.ip,
})

/** The id of a request is minted by `genReqId` as a session's. */
export const requestIdOf = (request: FastifyRequest) => request.id as SessionId

const localUser = (request: FastifyRequest): Principal => {
  const header = request.headers[userHeader]
  const name = typeof header === 'string' ? header.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 64) : ''
  return `local:${name === '' ? 'unnamed' : name}`
}
