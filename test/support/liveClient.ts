import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { until } from './until.ts'

export type Heard = {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: Readonly<Record<string, unknown>>
}
export type Listening = {
  readonly port: number
  readonly ca: string
  readonly query?: string
  readonly headers: Readonly<Record<string, string>>
}

const field = (block: string, name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]

/** A client of `/v1/live` on a socket of its own. */
export const listenLive = async ({ port, ca, query = '', headers }: Listening) => {
  const where = { host: '127.0.0.1', port, path: `/v1/live${query}`, ca, agent: false }
  const asked = request({ ...where, headers }).end()
  asked.on('error', () => undefined)
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  let text = ''
  response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  response.on('error', () => undefined)
  const heard = (): readonly Heard[] =>
    text
      .split('\n\n')
      .slice(0, -1)
      .filter((block) => block.includes('data: '))
      .map((block) => ({
        id: field(block, 'id'),
        event: field(block, 'event'),
        data: JSON.parse(field(block, 'data') ?? '') as Record<string, unknown>,
      }))
  const untilHeard = async (is: () => boolean) => {
    await until(is, () => text)
  }
  return {
    response,
    text: () => text,
    until: untilHeard,
    count: async (count: number) => {
      await untilHeard(() => heard().length >= count)
      return heard()
    },
    begun: () => untilHeard(() => /^id: /m.test(text)),
    ended: () => untilHeard(() => response.readableEnded),
    leave: () => asked.destroy(),
  }
}
