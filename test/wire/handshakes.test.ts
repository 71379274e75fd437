import { connect, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../support/until.ts'
import { pop3With } from './pop3Transcript.ts'
import { startTestSmtp } from './smtpTestServer.ts'

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

test.run()
