import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request, type RequestOptions } from 'node:https'
import type { ConnectionOptions, SecureContext } from 'node:tls'
import { policyPath } from '../tls/mtaSts.ts'

export type PolicyPlace = { readonly host: string; readonly port: number; readonly name: string }

/** Milliseconds for the whole; octets of a policy (RFC 8461 §3.3 wants bounds, and has 64 KiB for one). */
const patience = 15_000
const longest = 64 * 1024

/** The policy as a sender fetches it, whoever vouches for it. Rejects with what was wrong. */
export const fetchPolicy = async ({ host, port, name }: PolicyPlace, secureContext: SecureContext): Promise<string> => {
  const options: RequestOptions & ConnectionOptions = {
    host,
    port,
    path: policyPath,
    headers: { host: name },
    servername: name,
    secureContext,
    rejectUnauthorized: false,
    agent: false,
    signal: AbortSignal.timeout(patience),
  }
  const asked = request(options).end()
  const [response] = (await once(asked, 'response')) as unknown as readonly [IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) {
    text += String(chunk)
    if (text.length > longest) throw new Error('it is too long')
  }
  // RFC 8461 §3.3: redirections are not followed.
  if (response.statusCode !== 200) throw new Error(`it is answered with ${response.statusCode}`)
  if (!/^text\/plain\b/i.test(response.headers['content-type'] ?? '')) throw new Error('it is no text/plain')
  return text
}
