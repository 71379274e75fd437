import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { IncomingMessage } from 'node:http'
import type { ScratchGateway } from '../../ops/scratchGateway.ts'

export type Asked = {
  readonly body?: object
  /** As a browser on the gateway's own page sends it. */
  readonly cookie?: string | undefined
  readonly token?: string
  /** The client's own address. */
  readonly from?: string
}

export type ApiAnswer = {
  readonly status: number
  /** Of a problem document. */
  readonly code: string | undefined
  readonly text: string
  /** What a login has set. */
  readonly cookie: string | undefined
}

/** Asks the admin API of a gateway as any client does: over TLS, its certificate verified. */
export const apiOf =
  ({ data, ports }: Pick<ScratchGateway, 'data' | 'ports'>) =>
  async (method: string, path: string, { body, cookie, token, from }: Asked = {}): Promise<ApiAnswer> => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    request({
      host: '127.0.0.1',
      port: ports.admin,
      method,
      path,
      ca: readFileSync(join(data, 'admin.crt')),
      agent: false,
      ...(from !== undefined && { localAddress: from }),
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(cookie !== undefined && { cookie, 'sec-fetch-site': 'same-origin' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    })
      .once('response', resolve)
      .once('error', reject)
      .end(body && JSON.stringify(body))
    const response = await promise
    const answer = await text(response)
    const status = response.statusCode ?? 0
    return {
      status,
      code: status < 400 ? undefined : (JSON.parse(answer) as { readonly code: string }).code,
      text: answer,
      cookie: response.headers['set-cookie']?.[0]?.split(';')[0],
    }
  }
