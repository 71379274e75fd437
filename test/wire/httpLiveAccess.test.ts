import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import type { Cause, Recorded } from '../../src/core/events.ts'
import type { Position } from '../../src/core/ids.ts'
import { gatewayStream } from '../../src/core/streams.ts'
import { startAdmin } from '../../src/http/admin.ts'
import type { Listener } from '../../src/http/liveFeed.ts'
import { told } from '../../src/http/liveStream.ts'
import { pagesOf } from '../../src/http/pages.ts'
import { certificate } from '../../src/tls/selfSigned.ts'
import { listenLive } from '../support/liveClient.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { doubles, mailboxId, token } from './httpDoubles.ts'

const test = suite('http live access')
const world = doubles()
const clock = { now: () => new Date() }
const tls = await certificate({ keys: memoryKeys().keys, domain: 'localhost', clock, addresses: [] })
let reads = 0
let pause = 2
const log = {
  ...world.api.log,
  readAll: async (...asked: Parameters<typeof world.api.log.readAll>) => {
    reads++
    await delay(pause)
    return world.api.log.readAll(...asked)
  },
}
const admin = await startAdmin({ api: { ...world.api, log }, host: '127.0.0.1', port: 0, certificate: tls })
world.mailboxExists(mailboxId, 'Finance', ['finance@example.com'])
test.after(async () => {
  await admin.close()
  world.close()
})

const port = admin.address?.port ?? 0
const listen = (headers: Readonly<Record<string, string>>, query = '') =>
  listenLive({ port, ca: tls.cert, query, headers })
const local = { authorization: `Bearer ${token}` }
const cause: Cause = { principal: 'local:root', correlationId: randomUUID(), causationId: randomUUID() }

const { tokens, administrators, sessions } = world.access
const withToken = async () => {
  const wanted = { name: undefined, role: 'auditor', mailboxes: null, expiresAfter: 600 } as const
  const { secret, tokenId } = await tokens.issue(wanted, cause)
  return {
    headers: { authorization: `Bearer ${secret.reveal()}` },
    end: () => tokens.revoke(tokenId, cause),
  }
}
let names = 0
const withCookie = async () => {
  const name = `iris-${++names}`
  const { password } = await administrators.add({ name, role: 'auditor' }, new Date(Date.now() + 60_000), cause)
  const once = await administrators.verify(name, password, 'known')
  assert.ok(once)
  const cookie = sessions.open({ ...once, oneTimeUntil: undefined })
  return { name, cookie: cookie.reveal(), headers: { cookie: `__Host-sealpost=${cookie.reveal()}` } }
}

const ends: Readonly<Record<string, () => Promise<{ headers: Record<string, string>; end(): unknown }>>> = {
  'its token is revoked': withToken,
  'its browser logs out': async () => {
    const { headers, cookie } = await withCookie()
    return { headers, end: () => sessions.close(cookie) }
  },
  'its administrator gets a new password': async () => {
    const { headers, name } = await withCookie()
    return { headers, end: () => sessions.end(name) }
  },
}

for (const [when, given] of Object.entries(ends))
  test(`a live stream tells nothing more once ${when}, and ends`, async () => {
    const { headers, end } = await given()
    const stream = await listen(headers)
    await stream.begun()
    world.messageExists()
    await stream.count(2)
    await end()
    world.messageExists()
    await stream.ended()
    const [, , problem, ...more] = await stream.count(3)
    assert.equal([problem?.event, problem?.data['code'], more], ['problem', 'not-authorized', []])
  })

test('that a stream of one mailbox is listened to is recorded with the mailbox, whatever name it was asked for by', async () => {
  world.audited.length = 0
  const stream = await listen({ ...local, 'sealpost-user': 'root' }, '?mailbox=finance%40example.com')
  await stream.begun()
  stream.leave()
  assert.equal(JSON.parse(JSON.stringify(world.audited)), [['read', { record: 'events', mailboxId }, 'local:root']])
})

test('whoever asks for the header of a stream alone listens to nothing', async () => {
  for (const path of [
    '/v1/live',
    `/v1/messages/${world.messageExists()}/sealed`,
    `/v1/mailboxes/${mailboxId}/identity`,
  ]) {
    world.audited.length = 0
    const asked = request({ host: '127.0.0.1', port, method: 'HEAD', path, ca: tls.cert, agent: false, headers: local })
    const [response] = (await once(asked.end(), 'response')) as [IncomingMessage]
    assert.equal([response.statusCode, world.audited], [404, []], path)
  }
  await delay(300)
  reads = 0
  await delay(600)
  assert.is(reads, 0)
})

test('one principal may hold twenty streams, and has room again as soon as one is left', async () => {
  const own = await withToken()
  const streams = await Promise.all(Array.from({ length: 20 }, () => listen(own.headers)))
  await Promise.all(streams.map((one) => one.begun()))
  const more = await listen(own.headers)
  assert.is(more.response.statusCode, 503)
  const other = await withToken()
  const others = await listen(other.headers)
  assert.is(others.response.statusCode, 200)
  streams[0]?.leave()
  await delay(100)
  const again = await listen(own.headers)
  assert.is(again.response.statusCode, 200)
  for (const one of [...streams, others, again]) one.leave()
})

test('who resumes is told how far the log has been looked at, and nobody looks on for who has gone', async () => {
  for (let count = 0; count < 20_000; count++)
    world.happened(gatewayStream('one'), { type: 'GatewayStopped', data: {} } as never)
  pause = 20
  const resume = (id: string) => listen({ ...local, 'last-event-id': id }, '?type=TokenIssued')
  const idsIn = (text: string) => [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id ?? '')
  const early = pagesOf(world.api.cursors, 'live').next({ next: '0000000000000001' as Position }) ?? ''
  const first = await resume(early)
  await first.begun()
  first.leave()
  await delay(100)
  reads = 0
  await delay(300)
  assert.ok(reads <= 1, `${reads} reads for nobody`)
  // Forty pages have to be looked at.
  const second = await resume(early)
  await second.until(() => idsIn(second.text()).length > 20)
  second.leave()
  await delay(100)
  reads = 0
  const third = await resume(idsIn(second.text()).at(-1) ?? '')
  await third.until(() => third.response.complete || idsIn(third.text()).length > 15)
  assert.ok(reads < 35, `${reads} reads`)
  third.leave()
  pause = 2
})

const quiet: Listener = {
  from: '0000000000000000' as Position,
  heard: async (within) => {
    await delay(Math.min(within, 5))
    // Something happens all the time, and nothing that is wanted.
    return [{ position: '0000000000000009' } as Recorded]
  },
  leave: () => {
    left++
  },
  ended: new AbortController().signal,
}
let left = 0

test('a stream that has nothing to tell gives signs of life at an even pace, and ends with who may listen no longer', async () => {
  let may = true
  const telling = {
    log,
    listener: quiet,
    after: undefined,
    wanted: () => false,
    idOf: (position: Position) => position,
  }
  const blocks = told({ ...telling, stillMay: () => Promise.resolve(may), heartbeat: 100 })
  const next = async () => String((await blocks.next()).value)
  assert.equal([await next(), await next()], ['retry: 3000\n\n', 'id: 0000000000000000\n\n'])
  const begun = performance.now()
  for (let beat = 0; beat < 3; beat++) assert.is(await next(), ': still here\nid: 0000000000000009\n\n')
  const took = performance.now() - begun
  assert.ok(took > 250 && took < 30_000, `${took} ms`)
  may = false
  assert.match(await next(), /^event: problem\n.*not-authorized/)
  assert.is((await blocks.next()).done, true)
  assert.is(left, 1)
})

test('a stream whose listener cannot be looked up ends', async () => {
  const telling = { log, listener: quiet, after: undefined, wanted: () => true, idOf: (position: Position) => position }
  const away = () => Promise.reject(new GatewayError('storage-failed'))
  assert.match(String((await told({ ...telling, stillMay: away }).next()).value), /^event: problem\n.*storage-failed/)
})

test.run()
