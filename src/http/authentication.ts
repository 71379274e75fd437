import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { GatewayError } from '../core/errors.ts'
import type { Cause, Principal } from '../core/events.ts'
import type { SessionId } from '../core/ids.ts'
import type { Secret } from '../core/secret.ts'
import { sendProblem } from './problem.ts'

/** Names the local user in the log. Believed, because whoever can read the token may do everything anyway. */
export const userHeader = 'sealpost-user'

/** Open to everybody: whether the process lives, and whether the gateway does its work. */
export const healthPath = '/healthz'
export const readyPath = '/readyz'
/** Open to everybody where the configuration says so. */
export const metricsPath = '/metrics'

export type Authentication = {
  readonly token: Secret
  readonly refused: (source: string, kind: string) => void
  readonly metricsAreOpen: boolean
}

/** RFC 6750 §2.1: every request but those for open paths carries the token, those for paths that do not exist too. */
export const requireToken = (app: FastifyInstance, { token, refused, metricsAreOpen }: Authentication): void => {
  const wanted = digest(token.reveal())
  const open = new Set([healthPath, readyPath, ...(metricsAreOpen ? [metricsPath] : [])])
  app.addHook('onRequest', async (request, reply) => {
    if (open.has(request.routeOptions.url ?? '') || carries(request, wanted)) return
    refused(request.ip, 'api-token')
    return sendProblem(reply.header('www-authenticate', 'Bearer realm="Sealpost"'), new GatewayError('not-authorized'))
  })
}

const carries = (request: FastifyRequest, wanted: Buffer) => {
  const [, token] = /^Bearer +([\x21-\x7e]{1,256})$/i.exec(request.headers.authorization ?? '') ?? []
  return token !== undefined && timingSafeEqual(digest(token), wanted)
}

/** Of equal length, so that the comparison takes the same time for every guess. */
const digest = (text: string) => createHash('sha256').update(text).digest()

/** Why an event happens that this request causes. */
export const causeOf = (request: FastifyRequest): Cause => ({
  principal: principalOf(request),
  correlationId: request.id,
  causationId: request.id,
})

/** The id of a request is minted by `genReqId` as a session's. */
export const requestIdOf = (request: FastifyRequest) => request.id as SessionId

const principalOf = (request: FastifyRequest): Principal => {
  const header = request.headers[userHeader]
  const name = typeof header === 'string' ? header.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 64) : ''
  return `administrator:${name === '' ? 'unnamed' : name}`
}
