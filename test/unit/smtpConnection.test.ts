import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { SMTPServer } from 'smtp-server'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { smtpSession } from '../../actors/smtpSession.ts'
import { systemClock } from '../../src/core/ports.ts'
import { anySender } from '../../src/core/senderPolicy.ts'
import { JournalConnection } from '../../src/smtp/connection.ts'
import { octetsInFlight } from '../../src/wire/flight.ts'

const nothing = () => {}
const limits = {
  messageSize: 1000,
  recipients: 1,
  smtpSessions: 1,
  sessionsPerClient: 1,
  smtpIdle: 300,
  tlsHandshake: 60,
  slowestRate: 100,
  badCommands: 10,
  idleCommands: 1_000_000,
  transcript: 64 * 1024,
}

/** A peer that sends commands as long as it is read, and takes what it is told or does not. */
const peer = (listens: boolean) => {
  const counts = { sent: 0, heard: 0 }
  const commands = Buffer.from('HELP\r\n'.repeat(1000))
  const socket = new Duplex({
    read() {
      counts.sent += 1000
      this.push(counts.sent <= 100_000 ? commands : null)
    },
    write(chunk: Buffer, _encoding, next) {
      counts.heard += chunk.length
      if (listens) next()
    },
  })
  return { counts, socket: Object.assign(socket, { setTimeout: nothing, setNoDelay: nothing }) as unknown as Socket }
}

const connectTo = (socket: Socket, machine = smtpSession) => {
  const shared = {
    domain: 'gateway.example',
    postmaster: undefined,
    resolve: nothing as () => undefined,
    current: undefined,
    machine,
    checkSender: undefined,
    senders: {
      offered: () => false,
      authenticate: () => Promise.reject(new Error('nobody logs in here')),
      maySend: () => false,
    },
    senderPolicy: () => anySender,
    archive: { receive: () => Promise.reject(new Error('no message is sent here')) },
    sessions: {
      opened: () => {
        throw new Error('no recipient is named here')
      },
      proxied: () => {
        throw new Error('nothing is dialled here')
      },
    },
    refused: nothing,
    limits,
    logger: { info: nothing, warn: nothing, error: nothing },
    clock: systemClock,
    putOff: nothing as () => undefined,
    flight: octetsInFlight(() => Infinity),
    running: new Map(),
    open: new Set<JournalConnection>(),
  }
  const server = new SMTPServer({ logger: false })
  const connection = new JournalConnection(server, socket, shared, {
    protocol: 'smtp',
    socketOptions: null,
    leave: nothing,
  })
  connection.init()
  return connection
}

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

test('a peer that never reads its answers is soon not read either', async () => {
  const { socket, counts } = peer(false)
  connectTo(socket)
  await turns(300)
  const sent = counts.sent
  assert.ok(sent < 50_000, `${sent} commands were read`)
  await turns(300)
  assert.is(counts.sent, sent)
  socket.destroy()
})

test('a peer that reads its answers is served to its end, whatever it pipelines', async () => {
  const { socket, counts } = peer(true)
  await connectTo(socket).gone
  assert.ok(counts.heard > 100_000 * 'This is an archive'.length)
})

test('nothing of a connection that was lost is held any longer', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const lost = async () => {
    const { socket } = peer(true)
    const connection = connectTo(socket)
    socket.destroy()
    await connection.gone
    return new WeakRef(connection)
  }
  const held = await lost()
  await turns(3)
  collectGarbage()
  assert.ok(held.deref() === undefined)
})

test('a defect in the machine ends its session with 421, and nothing else', async () => {
  const broken = smtpSession.provide({
    actions: {
      welcome: () => {
        throw new Error('a defect')
      },
    },
  })
  const told: string[] = []
  const socket = new Duplex({
    read: nothing,
    write(chunk: Buffer, _encoding, next) {
      told.push(chunk.toString())
      next()
    },
  })
  const connection = connectTo(Object.assign(socket, { setTimeout: nothing }) as unknown as Socket, broken)
  socket.push('EHLO client.example\r\nNOOP\r\n')
  socket.push(null)
  await connection.gone
  assert.equal(told, ['220 gateway.example ESMTP Sealpost\r\n', '421 4.3.0 Internal error, try again later\r\n'])
})

test.run()
