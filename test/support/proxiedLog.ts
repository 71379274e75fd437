import * as assert from 'uvu/assert'
import type { EventData, Recorded } from '../../src/core/events.ts'
import { logIn } from './testGateway.ts'
import { until } from './until.ts'

/** The log of a gateway whose mail clients use it as a proxy. */
export const proxiedLog = (data: string) => ({
  position: async () => (await logIn(data)).length,
  /** What it holds that it did not at that position; waits for the sessions' ends unless they are still to go on. */
  since: (from: number, ended = true): Promise<readonly Recorded[]> =>
    until(async () => {
      const events = (await logIn(data)).slice(from)
      const streams = (...types: readonly string[]) =>
        new Set(events.filter(({ type }) => types.includes(type)).map(({ stream }) => stream))
      return (!ended || streams('SessionOpened', 'ProxyConnected').isSubsetOf(streams('SessionClosed'))) && events
    }, 'the sessions end'),
})

export const ofType = <T extends Recorded['type']>(events: readonly Recorded[], type: T) =>
  events.filter((event) => event.type === type) as unknown as readonly Recorded<T>[]

/** From the one message that was received the causes lead by way of the proxy connection to the session that began it all. */
export const assertChain = (
  events: readonly Recorded[],
  {
    target,
    mechanism,
    source,
  }: Pick<EventData['ProxyConnected'], 'target' | 'mechanism'> & { readonly source: string },
) => {
  const before = (event: Recorded) => events.find(({ id }) => id === event.metadata.$causationId)
  const chain = [ofType(events, 'MessageReceived')[0] as Recorded]
  for (let next = before(chain[0] as Recorded); next; next = before(next)) chain.push(next)
  assert.equal(
    chain.map(({ type }) => type),
    ['MessageReceived', 'ProxyConnected', 'LoginAccepted', 'SessionOpened'],
  )
  const session = chain.at(-1)?.metadata.$correlationId
  for (const { metadata } of chain) assert.is(metadata.$correlationId, session)
  const connected = ofType(events, 'ProxyConnected')[0]?.data
  assert.equal(
    [connected?.target, connected?.remoteAddress, connected?.mechanism, connected?.tls?.version],
    [target, '127.0.0.1', mechanism, 'TLSv1.3'],
  )
  assert.is(connected?.clientSessionId, session)
  const received = ofType(events, 'MessageReceived')[0]?.data
  assert.equal([received?.source, received?.target], [source, target])
}
