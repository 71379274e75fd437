import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { GatewayError } from '../../src/core/errors.ts'
import { channelOf } from '../../src/wire/channel.ts'
import { serverTls } from '../../src/wire/serveTls.ts'
import { until } from '../support/until.ts'
import { pop3With } from './pop3Transcript.ts'
import { startTestSmtp } from './smtpTestServer.ts'
import { testCertificate } from './testCertificate.ts'

const test = suite('handshakes')

const listeners = {
  SMTP: async () => {
    const { smtp, port } = await startTestSmtp()
    return { server: smtp, port, command: 'STARTTLS\r\n' }
  },
  POP3: async () => {
    const { server, plain } = await pop3With([], {})
    return { server, port: plain, command: 'STLS\r\n' }
  },
}

/** A record that announces more of a ClientHello than comes. */
const beginning = Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])

const greeted = async (port: number) => {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined).resume()
  await until(() => socket.bytesRead > 0)
  return socket
}
const answered = async (socket: Socket, command: string) => {
  const before = socket.bytesRead
  socket.write(command)
  await until(() => socket.bytesRead > before)
}

const leaving: Readonly<Record<string, (socket: Socket, command: string) => Promise<unknown>>> = {
  'with the command': (socket, command) => Promise.resolve(socket.end(command)),
  'with the command, behind others': (socket, command) => Promise.resolve(socket.end('NOOP\r\n'.repeat(9) + command)),
  'before the handshake': async (socket, command) => {
    await answered(socket, command)
    socket.end()
  },
  'in the middle of it': async (socket, command) => {
    await answered(socket, command)
    socket.end(beginning)
  },
}

for (const [protocol, start] of Object.entries(listeners)) {
  for (const [when, leave] of Object.entries(leaving))
    test(`${protocol}: a peer that ends its side ${when} is gone at once`, async () => {
      const { server, port, command } = await start()
      const socket = await greeted(port)
      await leave(socket, command)
      await until(() => socket.closed && server.connections() === 0)
      await server.close(0)
    })

  test(`${protocol}: a gateway that stops waits for no handshake`, async () => {
    const { server, port, command } = await start()
    const [silent, slow] = [await greeted(port), await greeted(port)]
    await Promise.all([answered(silent, command), answered(slow, command)])
    slow.write(beginning)
    const begun = performance.now()
    await server.close(20_000)
    assert.ok(performance.now() - begun < 10_000)
    for (const socket of [silent, slow]) socket.destroy()
  })
}

/** The gateway's side of the connections that come, until the test is over. */
const servedSockets = () => {
  const served: Socket[] = []
  const note = (message: unknown) => void served.push((message as { readonly socket: Socket }).socket)
  subscribe('net.server.socket', note)
  return { served, forget: () => unsubscribe('net.server.socket', note) }
}
/** Until nothing more is taken off the connection. */
const fill = async (peer: Socket, served: Socket) => {
  await until(() => {
    if (!served.isPaused()) peer.write('x'.repeat(10_000))
    return served.isPaused()
  })
  await until(() => served.bytesRead === peer.bytesWritten)
}
/** Its end comes behind octets that are not read either. */
const leave = async (peer: Socket, served: Socket, last: Uint8Array) => {
  peer.end(last)
  await until(() => served.bytesRead === peer.bytesWritten)
  await delay(100)
  assert.not.ok(served.readableEnded)
}
/** Far less than the time for a handshake. */
const inTime = (work: Promise<unknown>) => Promise.race([work, delay(10_000, 'still there', { ref: false })])

test('POP3: a peer that has ended its side behind more than was read before its command is gone at once', async () => {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const peer = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  const [served] = await accepted
  const channel = channelOf(
    served,
    { turn: 60, handshake: 60, slowestRate: 0 },
    { arrived: () => {}, ended: () => {}, working: () => true, late: () => {}, closed: () => {} },
  )
  await fill(peer, served)
  await leave(peer, served, beginning)
  const certificate = await testCertificate()
  const secured = channel.secure(serverTls(() => certificate)()).catch((error: unknown) => (error as GatewayError).code)
  const outcome = await inTime(secured)
  channel.destroy()
  peer.destroy()
  server.close()
  assert.is(outcome, 'connection-lost')
})

test('SMTP: a peer that has ended its side behind more than was read before its command is gone at once', async () => {
  const known = Promise.withResolvers<undefined>()
  let asked = false
  const current = async () => {
    asked = true
    await known.promise
  }
  const { served, forget } = servedSockets()
  const { smtp, port } = await startTestSmtp({ current })
  const peer = await greeted(port)
  forget()
  const [socket] = served
  assert.ok(socket)
  peer.write('EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<nobody@gateway.example>\r\nRSET\r\nSTARTTLS\r\n')
  await until(() => asked)
  await fill(peer, socket)
  await leave(peer, socket, beginning)
  known.resolve(undefined)
  const outcome = await inTime(until(() => smtp.connections() === 0))
  await smtp.close(0)
  assert.is(outcome, true)
})

test.run()
