import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts } from '../../ops/scratchGateway.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { systemClock } from '../../src/core/ports.ts'
import { startSubmission } from '../../src/smtp/submissionServer.ts'
import { openStandIns } from '../../src/standIn.ts'
import { binaryHeader, inet } from '../support/proxyHeaders.ts'
import { replayingSessions } from '../support/replayingSessions.ts'
import { openWire, type Wire } from '../support/wire.ts'
import { stored } from './memoryMaildrops.ts'
import { pop3With } from './pop3Transcript.ts'
import { address, first, limits, mailboxId, startTestSmtp, talk } from './smtpTestServer.ts'
import { testCertificate } from './testCertificate.ts'

const test = suite('load balancers')

const balancer = '127.0.0.9'
const networks = [`${balancer}/32`]
const client = '192.0.2.7'
const unknown = `mbx-${'9'.repeat(32)}@gateway.example`
const line = `PROXY TCP4 ${client} 198.51.100.1 56324 25\r\n`
const binary = binaryHeader(0x21, 0x11, inet(client), Buffer.from('0400040000000000', 'hex'))

/** A gateway's SMTP side behind a balancer. */
const balanced = async () => {
  const refused: string[] = []
  const server = await startTestSmtp({
    loadBalancers: { networks, refused: (source, kind) => void refused.push(`${source} ${kind}`) },
  })
  return { ...server, refused }
}

const delivery = `
  C: MAIL FROM:<sender@example.com>
  S: 250 2.1.0 Sender OK
  C: RCPT TO:<${address}>
  S: 250 2.1.5 Recipient OK
  C: DATA
  S: 354 End data with <CRLF>.<CRLF>
  C: Subject: hello
  C:
  C: .
  S: 250 2.6.0 *`

const deliver = async (wire: Wire) => {
  await talk(wire, 'S: 220 gateway.example ESMTP Sealpost\nC: HELO client.example\nS: 250 *')
  await talk(wire, delivery)
}

for (const [version, header] of [
  [1, Buffer.from(line)],
  [2, binary],
] as const)
  test(`SMTP: behind a header of version ${version} the peer is whom it names, before TLS and with it`, async () => {
    const { port, tlsPort, mails, close, refused } = await balanced()
    for (const [at, tls] of [
      [port, false],
      [tlsPort, true],
    ] as const) {
      const wire = await openWire(at, { from: balancer, tls, first: header })
      await deliver(wire)
      wire.destroy()
    }
    for (const { delivery, trace } of mails) {
      assert.is(delivery.remoteAddress, client)
      assert.match(trace, `[${client}]`)
      assert.not.match(trace, balancer)
    }
    assert.equal([mails.length, refused], [2, []])
    await close()
  })

test('SMTP: refusals are counted for whom the header names, under STARTTLS too', async () => {
  const { port, refusals, close } = await balanced()
  const wire = await openWire(port, { from: balancer, first: line })
  await talk(wire, 'S: 220 gateway.example ESMTP Sealpost\nC: STARTTLS\nS: 220 *')
  await wire.startTls()
  await talk(wire, `C: HELO client.example\nS: 250 *\nC: MAIL FROM:<>\nS: 250 *\nC: RCPT TO:<${unknown}>\nS: 550 *`)
  wire.destroy()
  assert.equal(refusals, [`${client} unknown-recipient`])
  await close()
})

test('what follows the header in its segment are the first octets of the protocol, and any segmentation is one header', async () => {
  const { port, mails, close } = await balanced()
  const wire = await openWire(port, { from: balancer })
  for (const octet of line) {
    wire.send(octet)
    await new Promise(setImmediate)
  }
  await deliver(wire)
  wire.destroy()
  const together = await openWire(port, { from: balancer })
  const text = 'From: a@example.com\r\n\r\n'
  const pipelined = `HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<${address}>\r\nDATA\r\n`
  together.send(Buffer.concat([binary, Buffer.from(pipelined)]))
  await together.until('354 ')
  together.send(`${text}.\r\nQUIT\r\n`)
  await together.until('221 ')
  assert.equal(mails.map(({ delivery }) => delivery.remoteAddress), [client, client]) // prettier-ignore
  assert.is(mails[1]?.body.toString(), text)
  wire.destroy()
  together.destroy()
  await close()
})

for (const [what, header] of [
  ['LOCAL', binaryHeader(0x20, 0)],
  ['UNKNOWN', 'PROXY UNKNOWN\r\n'],
] as const)
  test(`with ${what} the balancer speaks for itself`, async () => {
    const { port, mails, close } = await balanced()
    const wire = await openWire(port, { from: balancer, first: header })
    await deliver(wire)
    wire.destroy()
    assert.is(first(mails).delivery.remoteAddress, balancer)
    await close()
  })

for (const [what, octets] of [
  ['a command', 'EHLO client.example\r\n'],
  ['TLS', Buffer.from('16030100', 'hex')],
  ['a header that names no address', 'PROXY TCP4 balancer.example 192.0.2.1 1 2\r\n'],
  ['a header that is too long', `PROXY UNKNOWN ${'x'.repeat(100)}`],
] as const)
  test(`a balancer that sends ${what} is closed upon without a word, and counted`, async () => {
    const { port, tlsPort, refused, sessions, close } = await balanced()
    for (const at of [port, tlsPort]) {
      const wire = await openWire(at, { from: balancer, first: octets })
      await wire.closed()
      assert.match(String(await wire.line().catch((error: unknown) => error)), 'the connection closed after ""')
    }
    assert.equal(refused, Array(2).fill(`${balancer} proxy-header`))
    assert.equal(sessions, [])
    await close()
  })

test('a header from elsewhere is a command that makes no sense, and the peer stays who it is', async () => {
  const { port, tlsPort, refused, mails, close } = await balanced()
  const wire = await openWire(port)
  await talk(wire, `S: 220 gateway.example ESMTP Sealpost\nC: ${line.trim()}\nS: 500 *\nC: HELO x\nS: 250 *`)
  await talk(wire, delivery)
  assert.is(first(mails).delivery.remoteAddress, '127.0.0.1')
  assert.equal(refused, [])
  wire.destroy()
  // Before TLS it is no handshake.
  const secure = await openWire(tlsPort, { first: line })
  await secure.closed()
  await close()
})

test('who only asks whether the port is open is quiet; who breaks off in the middle of a header is not', async () => {
  const { port, refused, logged, close } = await balanced()
  const knock = (said: string) =>
    new Promise<void>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', localAddress: balancer }, () => socket.end(said))
      socket.resume().once('close', () => resolve())
    })
  await knock('')
  await knock('PROXY UNKNOWN\r\n')
  assert.equal([refused, logged], [[], []])
  await knock('PROXY TCP4')
  assert.equal(refused, [`${balancer} proxy-header`])
  await close()
})

test('a gateway that stops does not wait for headers', async () => {
  const { port, smtp, close } = await balanced()
  const wire = await openWire(port, { from: balancer, first: 'PROXY ' })
  const stopping = smtp.close(10_000)
  await wire.closed()
  await stopping
  await close()
})

for (const [name, tls] of [
  ['pop3', false],
  ['pop3s', true],
] as const)
  test(`${name}: the session is that of whom the header names`, async () => {
    const refused: string[] = []
    const pop3 = await pop3With([stored('Subject: hello\r\n\r\n')], {}, { networks, refused: (source, kind) => void refused.push(`${source} ${kind}`) }) // prettier-ignore
    const port = tls ? pop3.secure : pop3.plain
    const wire = await openWire(port, { from: balancer, tls, first: line })
    await wire.line()
    wire.send(tls ? 'USER nobody\r\nPASS wrong\r\n' : 'QUIT\r\n')
    await wire.until(tls ? '-ERR' : '+OK')
    wire.destroy()
    const none = await openWire(port, { from: balancer, first: 'CAPA\r\n' })
    await none.closed()
    assert.equal(refused, [`${balancer} proxy-header`])
    if (tls) assert.equal(pop3.done.addresses, [client])
    await pop3.server.close(0)
  })

test('POP3: a header from elsewhere is no command, and no handshake', async () => {
  const { plain, secure, server, done } = await pop3With([], {}, { networks, refused: () => undefined })
  const wire = await openWire(plain, { first: line })
  assert.match(await wire.line(), /^\+OK/)
  assert.match(await wire.line(), /^-ERR/)
  wire.send('STLS\r\n')
  assert.match(await wire.line(), /^\+OK/)
  await wire.startTls()
  wire.send('USER nobody\r\nPASS wrong\r\n')
  await wire.until('-ERR')
  assert.equal(done.addresses, ['127.0.0.1'])
  wire.destroy()
  const none = await openWire(secure, { first: line })
  await none.closed()
  await server.close(0)
})

/** A gateway's submission side behind a balancer, of which every login is taken and then comes to nothing. */
const balancedSubmission = async () => {
  const refused: string[] = []
  const recorded: string[] = []
  const pair = await testCertificate()
  const replayed = replayingSessions()
  const refuse = (source: string, kind: string) => void refused.push(`${source} ${kind}`)
  const nothing = () => undefined
  const server = await startSubmission({
    listeners: [
      { protocol: 'submission', host: '127.0.0.1', port: 0 },
      { protocol: 'submissions', host: '127.0.0.1', port: 0 },
    ],
    loadBalancers: { networks, refused: refuse },
    domain: 'gateway.example',
    tls: () => pair,
    limits: { ...limits, sessionsPerClient: 1 },
    sessions: replayed.recorder({
      opened: ({ protocol, remoteAddress }) => void recorded.push(`${protocol} ${remoteAddress}`),
      happened: nothing,
      closed: nothing,
    }),
    refused: refuse,
    putOff: nothing,
    logger: { info: nothing, warn: nothing, error: nothing },
    clock: systemClock,
    proxies: {
      open: (mailClient) => {
        recorded.push(`for ${mailClient.remoteAddress}`)
        mailClient.loggedIn(mailboxId)
        return Promise.reject(new GatewayError('proxy-unreachable'))
      },
      close: () => Promise.resolve(),
    },
  })
  const [plain, secure] = server.addresses
  const close = async () => {
    await server.close(0)
    replayed.verify()
  }
  return { submission: plain?.port ?? 0, submissions: secure?.port ?? 0, refused, recorded, close }
}

for (const [name, tls] of [
  ['submission', false],
  ['submissions', true],
] as const)
  test(`${name}: whom the header names is recorded, has the one place, and is counted for what is refused`, async () => {
    const { [name]: port, refused, recorded, close } = await balancedSubmission()
    const wire = await openWire(port, { from: balancer, tls, first: line })
    await talk(wire, 'S: 220 gateway.example ESMTP Sealpost')
    if (!tls) {
      await talk(wire, 'C: STARTTLS\nS: 220 *')
      await wire.startTls()
    }
    await talk(wire, 'C: HELO client.example\nS: 250 *')
    const login = Buffer.from(`\0ada%localhost%${mailboxId}\0password`).toString('base64')
    await talk(wire, `C: AUTH PLAIN ${login}\nS: 454 *`)
    assert.equal(recorded, [`for ${client}`, `${name} ${client}`])
    const second = await openWire(port, { from: balancer, first: line })
    await second.closed()
    const other = await openWire(port, { from: balancer, tls, first: line.replace(client, '192.0.2.8') })
    await talk(other, 'S: 220 *')
    await talk(wire, 'C: NONSENSE\nS: 500 *')
    const none = await openWire(port, { from: balancer, first: 'EHLO client.example\r\n' })
    await none.closed()
    assert.equal(refused, [
      `${client} auth`,
      `${client} too-many-sessions`,
      `${client} bad-command`,
      `${balancer} proxy-header`,
    ])
    for (const one of [wire, second, other]) one.destroy()
    await close()
  })

test('while the log is away a balancer is answered behind its header too', async () => {
  const tls = await testCertificate()
  // A stand-in says not where it listens: its ports are the gateway's.
  const { pop3s: port } = await freePorts()
  const listeners = [{ protocol: 'pop3s', host: '127.0.0.1', port }] as const
  const standIns = await openStandIns(listeners, { domain: 'gateway.example', tls, networks })
  const wire = await openWire(port, { from: balancer, tls: true, first: line })
  assert.match(await wire.line(), '-ERR [SYS/TEMP]')
  wire.destroy()
  await standIns.close()
})

test.run()
