import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from 'node:net'
import { openWire } from '../support/wire.ts'
import { connectionCounts } from '../../src/wire/connectionCounts.ts'
import { pop3With } from './pop3Transcript.ts'
import { startTestSmtp, talk } from './smtpTestServer.ts'

const test = suite('places')

test('an address has no more connections than its share, and one that ends makes room', () => {
  const places = connectionCounts(() => ({ all: 3, perSource: 2 }))
  const first = places.begin('a')
  assert.ok(first && places.begin('a'))
  assert.is(places.begin('a'), undefined)
  assert.is(places.most(), 2)
  assert.ok(places.begin('b'))
  assert.is(places.begin('c'), undefined)
  first()
  first()
  assert.ok(places.begin('c'))
  assert.is(places.begin('d'), undefined)
  assert.is(places.most(), 1)
})

test('an SMTP address beyond its share is told to come back, with TLS closed before the handshake; others are served', async () => {
  const server = await startTestSmtp({ limits: { sessionsPerClient: 2 } })
  const silent = connect(server.tlsPort, '127.0.0.1')
  await new Promise((resolve) => silent.once('connect', resolve))
  const mine = await openWire(server.port)
  await mine.line()
  const second = await openWire(server.port)
  await talk(second, 'S: 421 4.3.2 Too many connections, try again later')
  await second.closed()
  const handshake = connect(server.tlsPort, '127.0.0.1').on('error', () => undefined)
  handshake.write('\x16')
  const heard = (await Array.fromAsync(handshake).catch(() => [])).length
  assert.is(heard, 0)
  assert.equal(server.refusals, ['127.0.0.1 too-many-sessions', '127.0.0.1 too-many-sessions'])
  const other = await openWire(server.port, { from: '127.0.0.2' })
  await talk(other, 'S: 220 *')
  for (const wire of [silent, mine, second, other]) wire.destroy()
  await server.close()
})

test('a POP3 address beyond its share is turned away, others are served', async () => {
  const pop3 = await pop3With([], { sessionsPerClient: 1 })
  const first = await openWire(pop3.plain)
  await first.line()
  const second = await openWire(pop3.plain)
  assert.is(await second.line(), '-ERR [SYS/TEMP] Too busy, try again later')
  const other = await openWire(pop3.plain, { from: '127.0.0.2' })
  assert.match(await other.line(), /^\+OK/)
  for (const wire of [first, second, other]) wire.destroy()
  await pop3.server.close(0)
  assert.equal(pop3.seen.refused, ['too-many-sessions'])
})

test.run()
