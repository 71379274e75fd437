import { connect } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { until } from '../support/until.ts'
import { isSlowedDown, slowArchive, unconfirmed, witness } from './smtpArchives.ts'
import { address, drain, first, greeting, talk, transaction, withSmtp } from './smtpTestServer.ts'

const tooLarge = witness()
test(
  'a message that proves too large is read to its end, refused with 552, and leaves nothing; the next one is taken',
  withSmtp({ onMail: tooLarge.onMail }, async (_, wire) => {
    await talk(wire, greeting + transaction)
    wire.send(Buffer.alloc(3_000_000, 'line\r\n'))
    await talk(wire, `C: .\nS: 552 5.3.4 Message is larger than this gateway accepts`)
    await talk(wire, `${transaction}\nC: small\nC: .\nS: 250 2.6.0 *`)
    assert.equal(tooLarge.endings, ['message-too-large', 'small\r\n'.length])
  }),
)

test(
  'a message of exactly the limit is taken',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(wire, greeting + transaction)
    wire.send(Buffer.alloc(99_998, 'x'))
    wire.send('\r\n.\r\n')
    await talk(wire, 'S: 250 2.6.0 *')
    assert.is(first(mails).body.length, 100_000)
  }),
)

test(
  'a peer that sends far beyond the limit is told and cut off',
  withSmtp({ limits: { messageSize: 1000 } }, async (_, wire) => {
    await talk(wire, greeting.replace('100000', '1000') + transaction)
    for (let sent = 0; sent < 20; sent += 1) wire.send(Buffer.alloc(1_000_000, 'x'))
    await talk(wire, 'S: 552 5.3.4 *')
    await wire.closed()
  }),
)

const lost = witness()
test(
  'a connection that is lost inside DATA leaves no message',
  withSmtp({ onMail: lost.onMail }, async ({ sessions, ends }, wire) => {
    await talk(wire, greeting + transaction)
    wire.send('half a mess')
    wire.destroy()
    await until(() => ends.length > 0)
    await until(() => lost.endings.length > 0)
    assert.equal(lost.endings, ['connection-lost'])
    assert.equal(sessions, ['opened smtp', 'closed lost'])
  }),
)

const halfClosed = witness()
test(
  'a peer that ends its side inside DATA has sent no message either',
  withSmtp({ onMail: halfClosed.onMail }, async ({ port, ends }) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.end(`EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<${address}>\r\nDATA\r\nhalf\r\n.`)
    socket.resume()
    await until(() => ends.length > 0 && halfClosed.endings.length > 0)
    assert.equal(halfClosed.endings, ['connection-lost'])
    socket.destroy()
  }),
)

test(
  'a peer that has said everything and ends its side still hears the answers',
  withSmtp(
    {
      onMail: async (_, body) => {
        await drain(body)
        await new Promise((resolve) => setTimeout(resolve, 50))
      },
    },
    async ({ port }) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      socket.end(`EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<${address}>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n`)
      const heard = (await socket.toArray()).join('')
      assert.match(heard, /\r\n250 2\.6\.0 [^\r]* sealed and recorded\r\n250 2\.0\.0 OK\r\n$/)
    },
  ),
)

test(
  'an archive that fails early is waited for until the end of the data: only then comes the answer',
  withSmtp({ onMail: () => Promise.reject(new GatewayError('storage-full')) }, async (_, wire) => {
    await talk(wire, greeting + transaction)
    wire.send(Buffer.alloc(90_000, 'line\r\n'))
    let heard = false
    const answer = wire.line().finally(() => (heard = true))
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.not(heard)
    wire.send('.\r\nNOOP\r\n')
    assert.is(await answer, '452 4.3.1 Insufficient storage, try again later')
    await talk(wire, 'S: 250 2.0.0 OK')
  }),
)

test(
  'an archive that acknowledges what it has not read is not believed',
  withSmtp({ onMail: () => Promise.resolve() }, async (_, wire) => {
    await talk(wire, `${greeting}${transaction}\nC: x\nC: .\nS: 451 4.3.0 *`)
  }),
)

test(
  'the answer comes after the archive has recorded the message, never before',
  withSmtp({ onMail: unconfirmed }, async (_, wire) => {
    await talk(wire, `${greeting}${transaction}\nC: x\nC: .\nS: 451 4.3.0 Could not be confirmed, try again later`)
  }),
)

const slow = slowArchive()
test(
  'a slow archive slows the peer down: little is held in memory',
  withSmtp({ limits: { messageSize: 64_000_000 }, onMail: slow.onMail }, async (server) => {
    const before = `EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<${address}>\r\nDATA\r\n`
    const octets = 64 * 1024
    await isSlowedDown(server, slow, { before, piece: Buffer.alloc(octets, 'word\r\n'), octets, end: '\r\n.\r\n' })
  }),
)

test(
  'ten thousand pipelined commands are all answered, in order, also when nobody reads the answers yet',
  withSmtp({}, async (_, wire) => {
    await talk(wire, greeting)
    wire.send('NOOP\r\nVRFY x\r\n'.repeat(5000))
    wire.send('QUIT\r\n')
    const heard = (await wire.until('221 2.0.0 Bye\r\n')).toString()
    const one = '250 2.0.0 OK\r\n252 2.5.0 Not verified; send a message to try\r\n'
    assert.is(heard, `${one.repeat(5000)}221 2.0.0 Bye\r\n`)
  }),
)

test.run()
