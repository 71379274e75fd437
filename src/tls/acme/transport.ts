import { request } from 'node:https'
import type { axios } from 'acme-client'

type Adapter = Extract<typeof axios.defaults.adapter, (...all: never) => unknown>
type Answer = Awaited<ReturnType<Adapter>>

/** What the authority wants to be left alone for, as it says itself. */
export class RetryAfter extends Error {
  override readonly name = 'RetryAfter'
  readonly seconds: number
  constructor(message: string, seconds: number) {
    super(message)
    this.seconds = seconds
  }
}

export type TransportParts = {
  /** Certificates (PEM) that vouch for the authority's server. */
  readonly ca: readonly string[]
  readonly signal: AbortSignal
}

/** Milliseconds for one answer. */
const patience = 30_000
/** Octets: a chain of certificates is some kilobytes. */
const longestAnswer = 256 * 1024

/**
 * How the library's requests reach the authority. Its own way hides why a connection has failed, reads without an end, and
 * waits for as long as a server says.
 */
export const transport =
  ({ ca, signal }: TransportParts): Adapter =>
  async (config) => {
    const asked = new URL(config.url ?? '')
    if (asked.protocol !== 'https:') throw new Error('the authority names a URL without TLS')
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const outgoing = request(
      asked,
      {
        method: config.method?.toUpperCase() ?? 'GET',
        headers: { ...(config.headers.toJSON() as Record<string, string>), 'user-agent': 'sealpost' },
        ca: [...ca],
        minVersion: 'TLSv1.2',
        agent: false,
        signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
      },
      (incoming) => {
        const chunks: Buffer[] = []
        let length = 0
        incoming.on('error', reject)
        incoming.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length > longestAnswer) outgoing.destroy(new Error('the authority answers without an end'))
          else chunks.push(chunk)
        })
        incoming.on('end', () => {
          const { statusCode: status = 0, statusMessage: statusText = '', headers } = incoming
          const data = Buffer.concat(chunks).toString('utf8')
          const seconds = secondsIn(headers['retry-after'])
          if (status === 429 || status >= 500)
            reject(new RetryAfter(detailIn(data) ?? `${status} ${statusText}`, seconds))
          else resolve({ data, status, statusText, headers: headers as Answer['headers'], config })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(config.data as string | undefined)
    return promise
  }

/** RFC 8555 §6.7: problems are RFC 9457's. */
const detailIn = (data: string): string | undefined => {
  try {
    const { detail } = JSON.parse(data) as { readonly detail?: unknown }
    return typeof detail === 'string' ? detail : undefined
  } catch {
    // Something between here and the authority has answered.
    return undefined
  }
}

/** RFC 9110 §10.2.3. */
const secondsIn = (header: string | undefined): number => {
  if (header === undefined) return 0
  const seconds = /^\d{1,9}$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0
}
