import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { userInfo } from 'node:os'
import { text } from 'node:stream/consumers'
import type { Config } from '../config.ts'
import { GatewayError } from '../core/errors.ts'
import { pathsIn } from '../dataDirectory.ts'

/** The admin API of the running gateway. What it refuses is thrown with the text of its problem document. */
export type Client = {
  get<T>(path: string): Promise<T>
  put<T>(path: string, body?: object): Promise<T>
  post<T>(path: string, body?: object): Promise<T>
  delete(path: string): Promise<void>
  /** Octets; reading them fails if the connection breaks before their end. */
  octets(method: 'GET' | 'POST', path: string, body?: object): Promise<IncomingMessage>
}

export const failed = (detail: string, cause?: unknown) => new GatewayError('internal', { detail, cause })

/** A client for the gateway that runs on the configured data directory. Throws if there is none. */
export const connect = (config: Config): Client => {
  const to = whereTo(config)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = async (method: string, path: string, body: object | undefined) => {
    const response = await answerOf(to, agent, method, path, body)
    if ((response.statusCode ?? 0) >= 400) throw await problemIn(response, to)
    return response
  }
  // The API's answers are what its schemas say.
  const json = async <T>(response: IncomingMessage) => JSON.parse((await text(response)) || 'null') as T
  return {
    get: async (path) => json(await ask('GET', path, undefined)),
    put: async (path, body) => json(await ask('PUT', path, body)),
    post: async (path, body) => json(await ask('POST', path, body)),
    delete: async (path) => {
      await json(await ask('DELETE', path, undefined))
    },
    octets: ask,
  }
}

type Place = { readonly url: string; readonly token: string; readonly certificate: string; readonly data: string }

const whereTo = (config: Config): Place => {
  const { data } = config.gateway
  const paths = pathsIn(data)
  const configured = urlOf(config)
  const url = existsSync(paths.url) ? new URL(secretIn(paths.url)).origin : configured
  if (url === undefined) throw failed('The admin API is turned off (admin.port is "off"): the command line needs it.')
  if (!existsSync(paths.token)) throw notRunning(`there is no ${paths.token}`)
  const certificate = secretIn(paths.certificate)
  return { url: reachable(url), token: secretIn(paths.token), certificate, data }
}

const urlOf = ({ admin: { host, port } }: Config) =>
  port === 'off' ? undefined : `https://${host.includes(':') ? `[${host}]` : host}:${port}`

/** Who listens on every address is reached at the loopback. */
const reachable = (url: string) => url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')

const secretIn = (path: string) => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if ('code' in error && error.code === 'ENOENT') throw notRunning(`there is no ${path}`, error)
    throw failed(`Cannot read ${path}: run this as the user that the gateway runs as. (${error.message})`, error)
  }
}

const notRunning = (why: string, cause?: unknown) =>
  failed(`The gateway is not running (${why}). Start it with: npm start`, cause)

const answerOf = (to: Place, agent: Agent, method: string, path: string, body: object | undefined) => {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
  const headers = {
    authorization: `Bearer ${to.token}`,
    'sealpost-user': userName(),
    ...(payload && { 'content-type': 'application/json', 'content-length': payload.length }),
  }
  const pinned = new X509Certificate(to.certificate)
  request(new URL(path, to.url), {
    method,
    headers,
    agent,
    ca: to.certificate,
    // One of an authority comes without the authority's own.
    allowPartialTrustChain: true,
    // The very certificate that the gateway says it has, whatever address the API is reached at.
    checkServerIdentity: (_, { raw }) => (raw.equals(pinned.raw) ? undefined : new Error('not the certificate')),
  })
    .on('response', resolve)
    .on('error', (error) => reject(unanswered(error, to)))
    .end(payload)
  return promise
}

const unanswered = (error: Error, { url, data }: Place) => {
  const code = 'code' in error ? String(error.code) : ''
  if (/^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOTFOUND)$/.test(code))
    return notRunning(`no answer at ${url}`, error)
  if (/CERT|SIGNATURE|ISSUER/.test(code) || error.message === 'not the certificate')
    return failed(`What answers at ${url} is not the gateway of ${data}: its certificate is another one.`, error)
  return failed(`The gateway at ${url} did not answer: ${error.message}`, error)
}

const problemIn = async (response: IncomingMessage, { url, data }: Place) => {
  const status = response.statusCode ?? 0
  const body = await text(response)
  if (status === 401) return failed(`The gateway at ${url} does not take the token of ${data}: it is another gateway.`)
  const detail = detailOf(body)
  return failed(detail ?? `The gateway at ${url} answered ${status}.`)
}

const detailOf = (body: string): string | undefined => {
  try {
    const problem: unknown = JSON.parse(body)
    if (typeof problem !== 'object' || problem === null || !('detail' in problem)) return undefined
    return typeof problem.detail === 'string' ? problem.detail : undefined
  } catch {
    // Not one of ours: the status says enough.
    return undefined
  }
}

/** A user id without an account, as in a container, has no name. */
export const userName = () => {
  try {
    return userInfo().username.replaceAll(/[^\x21-\x7e]/g, '_')
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}
