import { connect } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Delivery } from '../../src/archive.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { address, drain, first, greeting, talk, transaction, until, withSmtp } from './smtpTestServer.ts'

/** Keeps how the reading of each body ended. */
const witness = () => {
  const endings: string[] = []
  const onMail = async (_: Delivery, body: AsyncIterable<Uint8Array>) => {
    try {
      await drain(body)
      endings.push('whole')
    } catch (error) {
      endings.push(error instanceof GatewayError ? error.code : String(error))
      throw error
    }
  }
  return { endings, onMail }
}

const tooLarge = witness()
test(
  'a message that proves too large is read to its end, refused with 552, and leaves nothing; the next one is taken',
  withSmtp({ onMail: tooLarge.onMail }, async (_, wire) => {
    await talk(wire, greeting + transaction)
    wire.send(Buffer.alloc(3_000_000, 'line\r\n'))
    await talk(wire, `C: .\nS: 552 5.3.4 Message is larger than this gateway accepts`)
    await talk(wire, `${transaction}\nC: small\nC: .\nS: 250 2.6.0 *`)
    assert.equal(tooLarge.endings, ['message-too-large', 'whole'])
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
  withSmtp(
    {
      onMail: async (_, body) => {
        await drain(body)
        await new Promise((resolve) => setTimeout(resolve, 100))
        throw new GatewayError('outcome-unknown')
      },
    },
    async (_, wire) => {
      await talk(wire, `${greeting}${transaction}\nC: x\nC: .\nS: 451 4.3.0 Could not be confirmed, try again later`)
    },
  ),
)

let goOn = () => {}
const patience = new Promise<void>((resolve) => (goOn = resolve))
let read = 0
test(
  'a slow archive slows the peer down: little is held in memory',
  withSmtp(
    {
      limits: { messageSize: 64_000_000 },
      onMail: async (_, body) => {
        for await (const chunk of body) {
          read += chunk.length
          await patience
        }
      },
    },
    async ({ port }) => {
      const socket = connect(port, '127.0.0.1')
      socket.write(`EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<${address}>\r\nDATA\r\n`)
      socket.resume()
      let sent = 0
      const piece = Buffer.alloc(64 * 1024, 'word\r\n')
      while (sent < 60_000_000) {
        sent += piece.length
        if (!socket.write(piece)) {
          const drained = new Promise<boolean>((resolve) => socket.once('drain', () => resolve(true)))
          const stuck = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 500))
          if (!(await Promise.race([drained, stuck]))) break
        }
      }
      // What the two kernel buffers and ours hold, not the whole.
      assert.ok(sent < 30_000_000, `${sent} octets were taken`)
      assert.ok(read <= 64 * 1024)
      goOn()
      await new Promise((resolve) => socket.once('drain', resolve))
      socket.write('\r\n.\r\n')
      await until(() => read >= sent)
      socket.destroy()
    },
  ),
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
