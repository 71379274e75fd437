import { once } from 'node:events'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { newSessionId, type Position } from '../../src/core/ids.ts'
import { sessionStream } from '../../src/core/streams.ts'
import { startAdmin } from '../../src/http/admin.ts'
import { liveFeed } from '../../src/http/liveFeed.ts'
import { certificate } from '../../src/tls/selfSigned.ts'
import { codeOf } from '../support/codeOf.ts'
import { type Heard, listenLive } from '../support/liveClient.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { doubles, mailboxId, token } from './httpDoubles.ts'

const test = suite('http live')
const world = doubles()
const tls = await certificate({
  keys: memoryKeys().keys,
  domain: 'localhost',
  clock: { now: () => new Date() },
  addresses: [],
})
/** Milliseconds: the feed's own. */
const lookEvery = 250
let reads = 0
const log = {
  ...world.api.log,
  readAll: (...asked: Parameters<typeof world.api.log.readAll>) => (reads++, world.api.log.readAll(...asked)),
}
const admin = await startAdmin({ api: { ...world.api, log }, host: '127.0.0.1', port: 0, certificate: tls })
world.mailboxExists(mailboxId, 'Finance')
test.after(async () => {
  await admin.close()
  world.close()
})

const listen = (query = '', more: Readonly<Record<string, string>> = {}) =>
  listenLive({
    port: admin.address?.port ?? 0,
    ca: tls.cert,
    query,
    headers: { authorization: `Bearer ${token}`, ...more },
  })
const typesOf = (heard: readonly Heard[]) => heard.map(({ data }) => data['type'])

test('what happens is heard by everybody who listens, in order, and the log is read once for all', async () => {
  const listeners = await Promise.all(Array.from({ length: 10 }, () => listen()))
  await Promise.all(listeners.map((one) => one.begun()))
  assert.is(listeners[0]?.response.headers['content-type'], 'text/event-stream')
  reads = 0
  const begun = performance.now()
  world.messageExists()
  for (const one of listeners) assert.equal(typesOf(await one.count(2)), ['MessageReceived', 'MessageSealed'])
  assert.ok(reads < 10 + (performance.now() - begun) / lookEvery, `${reads} reads`)
  for (const one of listeners) one.leave()
})

test('who comes again with the last id misses nothing and hears nothing twice', async () => {
  const first = await listen('?type=MessageReceived')
  await first.begun()
  const [one, two] = [world.messageExists(), world.messageExists()]
  const heard = await first.count(2)
  first.leave()
  const three = world.messageExists()
  const again = await listen('?type=MessageReceived', { 'last-event-id': heard[0]?.id ?? '' })
  await again.begun()
  const four = world.messageExists()
  const messages = (await again.count(3)).map(({ data }) => (data['data'] as Record<string, unknown>)['messageId'])
  assert.equal(messages, [two, three, four])
  assert.not.equal(one, two)
  again.leave()
})

test('what was not asked for is not heard, and a transcript is left out', async () => {
  const closings = await listen('?type=SessionClosed')
  const ofMailbox = await listen(`?mailbox=${mailboxId}`)
  await Promise.all([closings.begun(), ofMailbox.begun()])
  const transcript = 'very long'
  world.happened(sessionStream(newSessionId()), {
    type: 'SessionClosed',
    data: { outcome: 'quit', octetsIn: 1, octetsOut: 1, transcript, transcriptSha256: '00' },
  })
  world.messageExists()
  const [closed] = await closings.count(1)
  assert.is((closed?.data['data'] as Record<string, unknown>)['transcript'], null)
  assert.equal(typesOf(await ofMailbox.count(2)), ['MessageReceived', 'MessageSealed'])
  assert.is(closings.text().includes('MessageReceived'), false)
  closings.leave()
  ofMailbox.leave()
})

test('an id that was never given, a filter that makes no sense and a stranger are refused', async () => {
  const status = async (query: string, headers: Readonly<Record<string, string>> = {}) => {
    const one = await listen(query, headers)
    one.leave()
    return one.response.statusCode
  }
  assert.is(await status('', { 'last-event-id': '0000000000000001' }), 400)
  assert.is(await status('?type=nonsense'), 400)
  assert.is(await status('?mailbox=nobody'), 404)
  assert.is(await status('', { authorization: 'Bearer wrong' }), 401)
})

test('an event that cannot be read ends the stream, and it is told why', async () => {
  const listener = await listen()
  await listener.begun()
  world.unreadableAfter(1)
  const [problem] = await listener.count(1)
  assert.equal([problem?.event, problem?.data['code']], ['problem', 'event-unreadable'])
  if (!listener.response.readableEnded) await once(listener.response, 'end')
})

test('who takes nothing is let go while the others hear on, and nothing is kept for him', async () => {
  const position = (number: number) => String(number).padStart(16, '0') as Position
  let head = 0
  const feed = liveFeed({
    every: 1,
    log: {
      head: () => Promise.resolve(position(0)),
      readAll: (after, limit) => {
        const from = Number(after)
        const events = Array.from({ length: Math.min(limit, head - from) }, (_, index) => ({
          position: position(from + index + 1),
        }))
        return Promise.resolve(events as never)
      },
    },
  })
  let slow = 0
  const lazy = await feed.join({ principal: 'token:lazy', tooSlow: () => (slow += 1) })
  const eager = await feed.join({ principal: 'token:eager', tooSlow: () => assert.unreachable() })
  head = 5000
  for (let heard = 0; heard < 5000;) heard += (await eager.heard(1000))?.length ?? NaN
  assert.is(slow, 1)
  assert.is(await codeOf(lazy.heard(1000)), 'overloaded')
  feed.close()
  assert.is(await eager.heard(1000), undefined)
})

test('as many may listen as are allowed, and the gateway stops without waiting for them', async () => {
  const feed = liveFeed({ log: world.api.log })
  const join = (name: string) => feed.join({ principal: `token:${name}`, tooSlow: () => undefined })
  const listeners = await Promise.all(Array.from({ length: 80 }, (_, index) => join(String(index))))
  await Promise.all(Array.from({ length: 20 }, () => join('many')))
  assert.is(await codeOf(join('other')), 'overloaded')
  listeners[0]?.leave()
  assert.is(await codeOf(join('many')), 'overloaded')
  await join('other')
  feed.close()
  world.reset()
  const listener = await listen()
  await listener.begun()
  const started = performance.now()
  await admin.close()
  assert.ok(performance.now() - started < 9000)
})

test.run()
