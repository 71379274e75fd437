import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openWire } from '../support/wire.ts'
import { until } from '../support/until.ts'
import { stored } from './memoryMaildrops.ts'
import { password, pop3With } from './pop3Transcript.ts'
import { first, greeting, startTestSmtp, type TestSmtp, talk, transaction } from './smtpTestServer.ts'

const test = suite('slow peers')

/** Octets one by one, as long as the peer takes them; gives the milliseconds until it closed. */
const trickle = async (socket: Socket, octets: Uint8Array, every: number): Promise<number> => {
  const began = performance.now()
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => undefined).resume()
  for (const octet of octets) {
    if (socket.destroyed || socket.readableEnded) break
    socket.write(Uint8Array.of(octet))
    await delay(every)
  }
  socket.end()
  await closed
  return performance.now() - began
}

const withServer =
  (limits: NonNullable<Parameters<typeof startTestSmtp>[0]>['limits'], run: (server: TestSmtp) => Promise<void>) =>
  async () => {
    const server = await startTestSmtp(limits === undefined ? {} : { limits })
    try {
      await run(server)
    } finally {
      await server.close()
    }
  }

const endless = Buffer.alloc(2000, 'x')

test(
  'a command that trickles has no more time than one that is silent',
  withServer({ smtpIdle: 0.3 }, async ({ port, refusals }) => {
    const took = await trickle(connect(port, '127.0.0.1'), endless, 10)
    assert.ok(took < 15_000, `${took} ms`)
    assert.equal(refusals, ['127.0.0.1 too-slow'])
  }),
)

test(
  'whole commands, however slow, keep a session',
  withServer({ smtpIdle: 5 }, async ({ port, refusals }) => {
    const wire = await openWire(port)
    await wire.line()
    for (let said = 0; said < 4; said++) {
      await delay(1300)
      await talk(wire, 'C: NOOP\nS: 250 *')
    }
    wire.destroy()
    assert.equal(refusals, [])
  }),
)

for (const [how, begin] of [
  ['DATA', transaction],
  ['BDAT', transaction.replace('C: DATA', 'C: BDAT 90000 LAST').replace(/\n *S: 354.*/, '')],
] as const)
  test(
    `a message by ${how} that comes below the rate is cut, and is not kept`,
    withServer({ smtpIdle: 3, slowestRate: 1000 }, async ({ port, refusals, mails, ends }) => {
      const wire = await openWire(port)
      await talk(wire, greeting + begin)
      const sending = setInterval(() => wire.send('x'), 20)
      await talk(wire, 'S: 421 4.4.2 *')
      clearInterval(sending)
      wire.destroy()
      await until(() => ends.length === 1)
      assert.is(ends[0]?.outcome, 'timeout')
      assert.equal(refusals, ['127.0.0.1 too-slow'])
      assert.equal(mails, [])
    }),
  )

test(
  'chunks of one octet do not keep a session, though each is a whole command',
  withServer({ smtpIdle: 3, slowestRate: 1000 }, async ({ port, refusals }) => {
    const wire = await openWire(port)
    await talk(wire, greeting + transaction.replace(/\n *C: DATA[^]*/, ''))
    const sending = setInterval(() => wire.send('BDAT 1\r\nx'), 50)
    await wire.until('421 4.4.2 ')
    clearInterval(sending)
    wire.destroy()
    assert.equal(refusals, ['127.0.0.1 too-slow'])
  }),
)

test(
  'a slow link that is fast enough, with pauses, brings its message whole',
  withServer({ smtpIdle: 4, slowestRate: 150 }, async ({ port, mails, refusals }) => {
    const wire = await openWire(port)
    await talk(wire, greeting + transaction)
    // It stands still for most of the time, and longer in all than a window; one piece in each is enough.
    const piece = `${'y'.repeat(698)}\r\n`
    for (let sent = 0; sent < 5; sent++) {
      await delay(1000)
      wire.send(piece)
    }
    await talk(wire, 'C: .\nS: 250 *')
    assert.is(first(mails).body.length, 3500)
    wire.destroy()
    assert.equal(refusals, [])
  }),
)

for (const implicit of [false, true])
  test(
    `a handshake that trickles is ended in its time, ${implicit ? 'from the first octet' : 'after STARTTLS'}`,
    withServer({ tlsHandshake: 0.3 }, async ({ port, tlsPort, refusals, smtp }) => {
      const socket = connect(implicit ? tlsPort : port, '127.0.0.1')
      let said = ''
      socket.on('data', (octets: Buffer) => (said += octets.toString()))
      if (!implicit) socket.write('STARTTLS\r\n')
      // The head of a ClientHello of 16 KiB, and its octets one by one.
      const hello = Buffer.concat([Buffer.from([0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb]), Buffer.alloc(2000)])
      if (!implicit) await until(() => said.includes('220 2.0.0 '))
      const took = await trickle(socket, hello, 10)
      assert.ok(took < 15_000, `${took} ms`)
      assert.equal(refusals, ['127.0.0.1 tls-handshake'])
      await until(() => smtp.connectionsOfOne() === 0)
    }),
  )

test('a POP3 command that trickles has no more time than one that is silent', async () => {
  const pop3 = await pop3With([], { pop3Idle: 0.3 })
  const took = await trickle(connect(pop3.plain, '127.0.0.1'), endless, 10)
  assert.ok(took < 15_000, `${took} ms`)
  await pop3.server.close(0)
})

test('a POP3 handshake that trickles is ended in its time', async () => {
  const pop3 = await pop3With([], { tlsHandshake: 0.3 })
  const took = await trickle(
    connect(pop3.secure, '127.0.0.1'),
    Buffer.concat([Buffer.from([0x16, 3, 1, 0x3f, 0xff, 1]), Buffer.alloc(2000)]),
    10,
  )
  assert.ok(took < 15_000, `${took} ms`)
  assert.equal(pop3.seen.refused, ['tls-handshake'])
  await pop3.server.close(0)
})

const size = 32 * 1024 * 1024

/** Begins to fetch a message of 32 MiB. */
const fetching = async (limits: Parameters<typeof pop3With>[1]) => {
  const octets = Buffer.alloc(size, 'a line of the message\r\n')
  const pieces = Array.from({ length: size >> 16 }, (_, i) => octets.subarray(i << 16, (i + 1) << 16))
  const pop3 = await pop3With([stored(octets, () => pieces)], limits)
  const socket = connectTls({ port: pop3.secure, host: '127.0.0.1', rejectUnauthorized: false })
  socket.on('error', () => undefined).pause()
  socket.write(`AUTH PLAIN ${Buffer.from(`\0alice\0${password}`).toString('base64')}\r\nRETR 1\r\n`)
  return { pop3, socket }
}

test('a POP3 client that takes its message an octet at a time is cut', async () => {
  const { pop3, socket } = await fetching({ pop3Idle: 2, slowestRate: 10_000 })
  const reading = setInterval(() => void socket.read(1), 10)
  await until(() => pop3.seen.ends.length === 1)
  clearInterval(reading)
  socket.destroy()
  await pop3.server.close(0)
  assert.is(pop3.seen.ends[0]?.outcome, 'timeout')
  assert.equal(pop3.seen.refused, ['too-slow'])
})

test.run()
