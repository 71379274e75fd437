import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { text } from 'node:stream/consumers'
import { GatewayError, isErrorCode } from '../core/errors.ts'
import { notTheCertificate, type Place } from './place.ts'

/**
 * The admin API of a gateway. What it refuses is thrown with the code and the text of its problem document; `connection-lost`
 * when nobody answers.
 */
export type Client = {
  get<T>(path: string): Promise<T>
  put<T>(path: string, body?: object): Promise<T>
  post<T>(path: string, body?: object): Promise<T>
  delete(path: string): Promise<void>
  /** Octets; reading them fails if the connection breaks before their end. */
  octets(method: 'GET' | 'POST', path: string, body?: object): Promise<IncomingMessage>
  /** An answer that does not end by itself. */
  stream(path: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage>
}

export const failed = (detail: string, cause?: unknown) => new GatewayError('internal', { detail, cause })

type Ask = {
  readonly method: string
  readonly path: string
  readonly body?: object | undefined
  readonly headers?: Readonly<Record<string, string>>
}

export const connect = (to: Place): Client => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = async (asked: Ask) => {
    const response = await answerOf(to, agent, asked)
    if ((response.statusCode ?? 0) >= 400) throw await problemIn(response, to)
    return response
  }
  // The API's answers are what its schemas say.
  const json = async <T>(response: IncomingMessage) => JSON.parse((await text(response)) || 'null') as T
  return {
    get: async (path) => json(await ask({ method: 'GET', path })),
    put: async (path, body) => json(await ask({ method: 'PUT', path, body })),
    post: async (path, body) => json(await ask({ method: 'POST', path, body })),
    delete: async (path) => {
      await json(await ask({ method: 'DELETE', path }))
    },
    octets: (method, path, body) => ask({ method, path, body }),
    stream: (path, headers) => ask({ method: 'GET', path, headers }),
  }
}

const answerOf = async (to: Place, agent: Agent, { method, path, body, headers }: Ask) => {
  const trust = await to.trust().catch((error: unknown) => {
    throw unanswered(error instanceof Error ? error : new Error(String(error)), to)
  })
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
  request(new URL(path, to.url), {
    ...trust,
    method,
    headers: {
      authorization: `Bearer ${to.token.reveal()}`,
      ...to.headers,
      ...(payload && { 'content-type': 'application/json', 'content-length': payload.length }),
      ...headers,
    },
    agent,
  })
    .on('response', resolve)
    .on('error', (error) => reject(unanswered(error, to)))
    .end(payload)
  return promise
}

const unanswered = (error: Error, { url, says }: Place) => {
  const code = 'code' in error ? String(error.code) : ''
  if (/^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/.test(code))
    return lost(says.nobody(error), error)
  if (/CERT|SIGNATURE|ISSUER/.test(code) || error.message === notTheCertificate)
    return new GatewayError('not-authorized', { detail: says.another(error), cause: error })
  return lost(`The gateway at ${url} did not answer: ${error.message}`, error)
}

const lost = (detail: string, cause: Error) => new GatewayError('connection-lost', { detail, cause })

const problemIn = async (response: IncomingMessage, { url, says }: Place) => {
  const status = response.statusCode ?? 0
  const problem = problemOf(await text(response))
  if (status === 401) return new GatewayError('not-authorized', { detail: says.refused })
  return problem ?? failed(`The gateway at ${url} answered ${status}.`)
}

/** What a problem document says; undefined for what is none of ours. */
export const problemOf = (document: string): GatewayError | undefined => {
  try {
    const problem: unknown = JSON.parse(document)
    if (typeof problem !== 'object' || problem === null || !('detail' in problem)) return undefined
    if (typeof problem.detail !== 'string') return undefined
    const code = 'code' in problem && typeof problem.code === 'string' ? problem.code : ''
    return new GatewayError(isErrorCode(code) ? code : 'internal', { detail: problem.detail })
  } catch {
    return undefined
  }
}
