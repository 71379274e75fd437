import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AccessControl } from '../access/openAccess.ts'
import type { Who } from '../core/access.ts'
import { GatewayError } from '../core/errors.ts'
import type { Cause, Principal } from '../core/events.ts'
import type { SessionId } from '../core/ids.ts'
import type { Secret } from '../core/secret.ts'
import { withoutMapping } from '../core/sourceAddress.ts'
import { refusalOf, whoOf } from './authorization.ts'
import { isCrossSite } from './crossSite.ts'
import { peerAddressOf } from './peerAddress.ts'
import { sendProblem } from './problem.ts'
import { cookieOf } from './sessionCookie.ts'

/** Names the local user in the log. Believed, because whoever can read the token may do everything anyway. */
export const userHeader = 'sealpost-user'

export const healthPath = '/healthz'
export const readyPath = '/readyz'
export const metricsPath = '/metrics'

export type Authentication = {
  /** Of the local command line. */
  readonly token: Secret
  readonly access: Pick<AccessControl, 'tokens' | 'sessions'>
  readonly refused: (source: string, kind: string) => void
}

/** What a request shows is asked about when it comes, and by what goes on for long again. */
type Asked = 'whoHas' | 'stillHas'

/** Every request but those for public routes says who it is from, those for paths that do not exist too. */
export const requireAccess = (app: FastifyInstance, { token, access, refused }: Authentication): void => {
  const local = digest(token.reveal())

  const byToken = async (request: FastifyRequest, shown: string, asked: Asked): Promise<Who | undefined> =>
    timingSafeEqual(digest(shown), local)
      ? { principal: localUser(request), role: 'admin', scope: undefined, mustChangePassword: false }
      : access.tokens[asked](shown)
  const byCookie = async (cookie: string, asked: Asked): Promise<Who | undefined> => {
    const administrator = await access.sessions[asked](cookie)
    if (!administrator) return undefined
    const { name, role, oneTimeUntil } = administrator
    return { principal: `administrator:${name}`, role, scope: undefined, mustChangePassword: !!oneTimeUntil }
  }
  const refuse = (request: FastifyRequest, reply: FastifyReply, [kind, error]: readonly [string, GatewayError]) => {
    refused(peerAddressOf(request), kind)
    return sendProblem(reply, error)
  }

  app.addHook('onRequest', async (request, reply) => {
    const { config } = request.routeOptions
    if (config.access === 'public') return
    const [shown, cookie] = [bearerOf(request), cookieOf(request)]
    // Who shows a token is no browser that was led here: the token counts, and it alone.
    const byCookieOnly = request.headers.authorization === undefined && cookie !== undefined
    if (byCookieOnly && isCrossSite(request, true))
      return refuse(request, reply, ['cross-site', new GatewayError('cross-site')])
    const identified = async (asked: Asked) => {
      if (byCookieOnly) return byCookie(cookie, asked)
      return shown === undefined ? undefined : byToken(request, shown, asked)
    }
    const who = await identified('whoHas')
    if (!who) {
      void reply.header('www-authenticate', 'Bearer realm="Sealpost"')
      return refuse(request, reply, [byCookieOnly ? 'api-session' : 'api-token', new GatewayError('not-authorized')])
    }
    request.who = who
    request.stillMay = async () => {
      const today = await identified('stillHas')
      return today !== undefined && refusalOf(config, today) === undefined
    }
    const refusal = refusalOf(config, who)
    return refusal && refuse(request, reply, [refusal.code, refusal])
  })
}

/** RFC 6750 §2.1. */
const bearerOf = ({ headers: { authorization = '' } }: FastifyRequest) =>
  /^Bearer +([\x21-\x7e]{1,256})$/i.exec(authorization)?.[1]

/** Of equal length, so that the comparison takes the same time for every guess. */
const digest = (text: string) => createHash('sha256').update(text).digest()

/** Why an event happens that this request causes. */
export const causeOf = (request: FastifyRequest): Cause => ({
  principal: whoOf(request).principal,
  correlationId: request.id,
  causationId: request.id,
  source: withoutMapping(peerAddressOf(request)),
})

/** The id of a request is minted by `genReqId` as a session's. */
export const requestIdOf = (request: FastifyRequest) => request.id as SessionId

const localUser = (request: FastifyRequest): Principal => {
  const header = request.headers[userHeader]
  const name = typeof header === 'string' ? header.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 64) : ''
  return `local:${name === '' ? 'unnamed' : name}`
}
