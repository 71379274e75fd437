import { connect, createServer } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { startPop3 } from '../../src/pop3/pop3Server.ts'
import { openWire } from '../support/wire.ts'
import { until } from '../support/until.ts'
import { stored, type StoredMessage } from './memoryMaildrops.ts'
import { login, noBalancers, password, play, playTo, type Pop3Fixture, pop3With } from './pop3Transcript.ts'

const test = suite('pop3')
const running: Pop3Fixture[] = []

const given = async (messages: StoredMessage[], limits?: Parameters<typeof pop3With>[1]) => {
  const fixture = await pop3With(messages, limits)
  running.push(fixture)
  return fixture
}
test.after.each(async () => {
  await Promise.all(running.splice(0).map(({ server }) => server.close(0)))
})

const hello = 'Subject: hello\r\n\r\nfirst\r\n.dot\r\nlast\r\n'
const two = () => [stored(hello), stored('Subject: bare\n\n.\nno end')]
const sasl = (user: string, secret: string) => Buffer.from(`\0${user}\0${secret}`).toString('base64')

test('a whole session: STLS, login, listings, retrieval, deletion, QUIT', async () => {
  const pop3 = await given(two())
  const wire = await playTo(
    pop3,
    `
    C: CAPA
    S: +OK Capability list follows
    S: TOP
    S: UIDL
    S: RESP-CODES
    S: AUTH-RESP-CODE
    S: PIPELINING
    S: STLS
    S: IMPLEMENTATION Sealpost
    S: .
    C: STLS
    S: +OK Begin TLS
    TLS
    C: CAPA
    S: +OK Capability list follows
    S: TOP
    S: UIDL
    S: RESP-CODES
    S: AUTH-RESP-CODE
    S: PIPELINING
    S: USER
    S: SASL PLAIN
    S: UTF8 USER
    S: IMPLEMENTATION Sealpost
    S: .
    C: UTF8
    S: +OK UTF-8
    ${login('2 messages (65 octets)')}
    C: STAT
    S: +OK 2 65
    C: LIST
    S: +OK 2 messages (65 octets)
    S: 1 37
    S: 2 28
    S: .
    C: LIST 2
    S: +OK 2 28
    C: LIST 3
    S: -ERR No such message
    C: RETR 1
    S: +OK 37 octets
    S: Subject: hello
    S:
    S: first
    S: ..dot
    S: last
    S: .
    C: RETR 2
    S: +OK 28 octets
    S: Subject: bare
    S:
    S: ..
    S: no end
    S: .
    C: TOP 1 1
    S: +OK 37 octets
    S: Subject: hello
    S:
    S: first
    S: .
    C: TOP 1 0
    S: +OK 37 octets
    S: Subject: hello
    S:
    S: .
    C: DELE 1
    S: +OK Deleted at QUIT
    C: DELE 1
    S: -ERR No such message
    C: RETR 1
    S: -ERR No such message
    C: STAT
    S: +OK 1 28
    C: RSET
    S: +OK 2 messages (65 octets)
    C: DELE 2
    S: +OK Deleted at QUIT
    C: LIST
    S: +OK 1 message (37 octets)
    S: 1 37
    S: .
    C: NOOP
    S: +OK
    C: QUIT
    S: +OK Bye
    END
    `,
    false,
  )
  wire.destroy()
  assert.is(pop3.done.updates.length, 1)
  assert.is(pop3.done.released, 1)
  assert.is(pop3.seen.opened, 1)
  assert.equal(
    pop3.seen.facts.map(({ type }) => type),
    ['LoginAccepted'],
  )
  assert.equal(
    pop3.seen.ends.map(({ outcome }) => outcome),
    ['quit'],
  )
  assert.equal([...pop3.seen.refused, ...pop3.seen.logged], [])
})

test('UIDL names messages by their message ids', async () => {
  const messages = two()
  const [first, second] = messages.map(({ entry }) => entry.messageId)
  const pop3 = await given(messages)
  const wire = await playTo(
    pop3,
    `
    ${login('2 messages (65 octets)')}
    C: UIDL
    S: +OK
    S: 1 ${first ?? ''}
    S: 2 ${second ?? ''}
    S: .
    C: UIDL 2
    S: +OK 2 ${second ?? ''}
    C: UIDL 9
    S: -ERR No such message
    `,
  )
  wire.destroy()
})

test('credentials before TLS are refused unread, and nothing of them is logged', async () => {
  const pop3 = await given(two())
  const wire = await playTo(
    pop3,
    `
    C: USER alice
    S: -ERR TLS comes before credentials: use STLS
    C: PASS ${password}
    S: -ERR TLS comes before credentials: use STLS
    C: AUTH PLAIN ${sasl('alice', password)}
    S: -ERR TLS comes before credentials: use STLS
    C: AUTH PLAIN
    S: -ERR TLS comes before credentials: use STLS
    C: STAT
    S: -ERR That command is not valid now
    `,
    false,
  )
  wire.destroy()
  assert.equal(pop3.done.logins, [])
  assert.is(pop3.seen.refused.filter((kind) => kind === 'credentials-without-tls').length, 4)
  assert.is(pop3.seen.opened, 0)
  assert.equal(pop3.seen.logged, [])
})

test('what is pipelined behind STLS is never taken for commands under TLS', async () => {
  const pop3 = await given(two())
  const wire = await openWire(pop3.plain)
  await wire.line()
  wire.send('STLS\r\nUSER mallory\r\nPASS x\r\n')
  assert.is(await wire.line(), '+OK Begin TLS')
  await wire.startTls()
  await play(wire, login('2 messages (65 octets)'))
  wire.destroy()
  assert.equal(pop3.done.logins, ['alice'])
})

test('STLS is refused under TLS', async () => {
  const wire = await playTo(await given(two()), 'C: STLS\nS: -ERR That command is not valid now')
  wire.destroy()
})

test('SASL PLAIN takes an initial response or a response to its challenge; * cancels', async () => {
  const pop3 = await given(two())
  for (const transcript of [
    `C: AUTH PLAIN ${sasl('alice', password)}\nS: +OK 2 messages (65 octets)\nC: QUIT\nS: +OK Bye`,
    `C: auth plain\nS: +…\nC: *\nS: -ERR Authentication cancelled
     C: AUTH PLAIN\nS: +…\nC: ${sasl('alice', password)}\nS: +OK 2 messages (65 octets)\nC: QUIT\nS: +OK Bye`,
    `C: AUTH PLAIN\nS: +…\nC: !!!\nS: -ERR Those credentials are not well-formed
     C: AUTH PLAIN =\nS: -ERR Those credentials are not well-formed
     C: AUTH PLAIN ${Buffer.from('bob\0alice\0x').toString('base64')}\nS: -ERR Those credentials are not well-formed
     C: AUTH CRAM-MD5\nS: -ERR Only SASL PLAIN is offered
     C: AUTH\nS: -ERR Syntax: AUTH mechanism [initial-response]`,
  ]) {
    const wire = await playTo(pop3, transcript)
    wire.destroy()
    await until(() => !pop3.isLocked())
  }
})

test('a response to a challenge may be long, a command may not', async () => {
  const pop3 = await given(two())
  const long = await playTo(pop3, `C: AUTH PLAIN\nS: +…\nC: ${sasl('alice', 'x'.repeat(2900))}\nS: -ERR [AUTH] …`)
  long.destroy()
  const tooLong = await playTo(pop3, `C: USER ${'x'.repeat(249)}\nS: -ERR Line too long\nEND`)
  tooLong.destroy()
  const exact = await playTo(pop3, `C: USER ${'x'.repeat(248)}\nS: +OK Send the password`)
  exact.destroy()
})

test('a line without an end is bounded', async () => {
  const pop3 = await given(two())
  const wire = await openWire(pop3.plain)
  await wire.line()
  wire.send('x'.repeat(100_000))
  assert.is(await wire.line(), '-ERR Line too long')
  await wire.closed()
})

test('a command may have 255 octets with its end and no more (RFC 2449 §4)', async () => {
  const pop3 = await given(two())
  const command = (octets: number) => `USER ${'x'.repeat(octets - 'USER \r\n'.length)}\r\n`
  for (const [octets, reply] of [
    [255, '+OK Send the password'],
    [256, '-ERR Line too long'],
  ] as const) {
    const wire = await openWire(pop3.secure, { tls: true })
    await wire.line()
    wire.send(command(octets))
    assert.is(await wire.line(), reply)
    wire.destroy()
  }
})

test('the maildrop says the same to who has said UTF8 and who has not, octet for octet (RFC 6856)', async () => {
  const international = 'Subject: Grüße, 日本語\r\nFrom: Jöe <jöe@exämple.com>\r\n\r\nText: Grüße\r\n'
  const octets = Buffer.from(international).toString('latin1')
  const pop3 = await given([stored(octets)])
  const heard: string[] = []
  for (const first of [[], ['UTF8']]) {
    const wire = await openWire(pop3.secure, { tls: true })
    await wire.line()
    for (const command of [...first, 'USER alice', `PASS ${password}`, 'LIST 1', 'RETR 1']) {
      wire.send(`${command}\r\n`)
      heard.push(`${command}: ${await wire.line()}`)
    }
    for (let line = await wire.line(); line !== '.'; line = await wire.line()) heard.push(line)
    wire.send('QUIT\r\n')
    await wire.closed()
  }
  const [plain, utf8] = [heard.slice(0, heard.length >> 1), heard.slice((heard.length >> 1) + 1)]
  assert.is(heard[heard.length >> 1], 'UTF8: +OK UTF-8')
  assert.equal(plain, utf8)
  assert.ok(`${plain.join('\r\n')}\r\n`.includes(octets))
})

test('wrong passwords are refused, and the third closes the connection', async () => {
  const pop3 = await given(two())
  const wire = await playTo(
    pop3,
    `
    C: USER alice
    S: +OK Send the password
    C: PASS wrong
    S: -ERR [AUTH] Wrong user name or password
    C: STAT
    S: -ERR That command is not valid now
    C: PASS ${password}
    S: -ERR USER comes before PASS
    C: AUTH PLAIN ${sasl('alice', 'wrong')}
    S: -ERR [AUTH] Wrong user name or password
    C: AUTH PLAIN ${sasl('nobody', password)}
    S: -ERR [AUTH] Wrong user name or password
    END
    `,
  )
  wire.destroy()
  assert.equal([pop3.seen.opened, pop3.seen.facts, pop3.seen.ends], [0, [], []], 'a guesser does not grow the log')
  assert.equal(pop3.seen.logged, [])
})

test('a password may hold spaces, and a user name that asks for a proxy is refused', async () => {
  const pop3 = await given(two())
  const wire = await playTo(
    pop3,
    `
    C: USER bob%pop.example.net%alice
    S: -ERR [AUTH] This gateway does not connect mail clients to other servers: its administrator has not turned that on
    C: USER alice
    S: +OK Send the password
    C: PASS  ${password}
    S: -ERR [AUTH] Wrong user name or password
    `,
  )
  wire.destroy()
  assert.equal(pop3.done.logins, ['alice'])
})

test('a maildrop that another session holds is in use, until that session is over', async () => {
  const pop3 = await given(two())
  const holder = await playTo(pop3, login('2 messages (65 octets)'))
  const other = await playTo(pop3, `C: USER alice\nS: +OK …\nC: PASS ${password}\nS: -ERR [IN-USE] …`)
  holder.destroy()
  await until(() => !pop3.isLocked())
  await play(other, login('2 messages (65 octets)'))
  other.destroy()
})

test('deletions of a session that does not QUIT never happen', async () => {
  const pop3 = await given(two())
  const wire = await playTo(pop3, `${login('2 messages (65 octets)')}\nC: DELE 1\nS: +OK Deleted at QUIT`)
  wire.destroy()
  await until(() => pop3.seen.ends.length === 1)
  assert.equal(pop3.done.updates, [])
  assert.is(pop3.seen.ends[0]?.outcome, 'lost')
  assert.is(pop3.done.released, 1)
})

test('QUIT whose deletions cannot be recorded says so, and deletes nothing', async () => {
  const pop3 = await given(two())
  pop3.failures.update = new GatewayError('not-written')
  const wire = await playTo(
    pop3,
    `${login('2 messages (65 octets)')}
    C: DELE 1
    S: +OK Deleted at QUIT
    C: QUIT
    S: -ERR [SYS/TEMP] Could not be recorded, try again later
    END`,
  )
  wire.destroy()
  assert.equal(pop3.done.updates, [])
  assert.is(pop3.seen.ends[0]?.outcome, 'failed')
  assert.is(pop3.done.released, 1)
})

test('a message that cannot be opened is refused, and the others are still served', async () => {
  const gone = stored('x\r\n', () => {
    throw new GatewayError('object-missing')
  })
  const pop3 = await given([gone, stored(hello)])
  const wire = await playTo(
    pop3,
    `${login('2 messages (40 octets)')}
    C: RETR 1
    S: -ERR [SYS/PERM] The sealed message is missing from the vault
    C: TOP 2 0
    S: +OK 37 octets
    S: Subject: hello
    S:
    S: .
    `,
  )
  wire.destroy()
  assert.is(pop3.seen.logged.length, 1)
})

const half = Buffer.from('half a line\r\n'.repeat(25_000))
const large = Buffer.concat([half, half])

test('a message that turns out corrupt half-way never ends: the connection breaks', async () => {
  const corrupt = stored(large, async function* () {
    yield half
    await new Promise((resolve) => setTimeout(resolve, 50))
    throw new GatewayError('object-corrupt')
  })
  const pop3 = await given([corrupt])
  const wire = await playTo(pop3, `${login(`1 message (${large.length} octets)`)}\nC: RETR 1\nS: +OK …`)
  const error = await wire.until('\r\n.\r\n').catch((error: unknown) => error)
  assert.instance(error, Error)
  await until(() => pop3.seen.ends.length === 1)
  assert.is(pop3.seen.ends[0]?.outcome, 'failed')
  assert.is(pop3.done.released, 1)
})

test('a message with other octets than the log says is not passed off as it', async () => {
  const short = stored(hello, () => [Buffer.from(hello.slice(1))])
  const long = stored(hello, () => [Buffer.from(hello), Buffer.from('more')])
  const wire = await playTo(
    await given([short, long]),
    `${login('2 messages (74 octets)')}\nC: RETR 1\nS: -ERR [SYS/PERM] …\nC: RETR 2\nS: -ERR [SYS/PERM] …`,
  )
  wire.destroy()
})

test('TOP of a large message ends only once the whole of it has been read', async () => {
  let read = false
  const message = stored(large, async function* () {
    yield half
    await new Promise((resolve) => setTimeout(resolve, 20))
    read = true
    yield half
  })
  const wire = await playTo(
    await given([message]),
    `${login(`1 message (${large.length} octets)`)}\nC: TOP 1 0\nS: +OK ${large.length} octets`,
  )
  // No empty line ends the header, so that everything is header.
  assert.is((await wire.until('\r\n.\r\n')).length, large.length + 3)
  assert.ok(read)
  wire.destroy()
})

test('pipelined RETRs are begun together and answered in order', async () => {
  let waiting: (() => void)[] = []
  const messages = Array.from({ length: 40 }, (_, i) =>
    stored(`number ${i + 1}\r\n`, async function* () {
      await new Promise<void>((resolve) => waiting.push(resolve))
      yield Buffer.from(`number ${i + 1}\r\n`)
    }),
  )
  const pop3 = await given(messages)
  const wire = await playTo(
    pop3,
    login(`40 messages (${messages.reduce((sum, m) => sum + m.entry.wireSize, 0)} octets)`),
  )
  wire.send(messages.map((_, i) => `RETR ${i + 1}\r\n`).join(''))
  await until(() => pop3.done.began.length >= 32)
  assert.is(pop3.done.began.length, 32)
  const letGo = setInterval(() => {
    for (const resolve of waiting.splice(0).reverse()) resolve()
  }, 1)
  for (const [i, { entry }] of messages.entries())
    await play(wire, `S: +OK ${entry.wireSize} octets\nS: number ${i + 1}\nS: .`)
  clearInterval(letGo)
  waiting = []
  wire.destroy()
})

test('nothing is read early of a message that does not exist, is deleted, or lies behind another command', async () => {
  const messages = Array.from({ length: 6 }, () =>
    stored('m\r\n', async function* () {
      await new Promise((resolve) => setTimeout(resolve, 5))
      yield Buffer.from('m\r\n')
    }),
  )
  const pop3 = await given(messages)
  const wire = await playTo(pop3, `${login('6 messages (18 octets)')}\nC: DELE 2\nS: +OK Deleted at QUIT`)
  wire.send('RETR 1\r\nRETR 2\r\nRETR 3\r\nDELE 4\r\nRETR 4\r\nRETR 5\r\nRETR 5\r\n')
  await play(
    wire,
    `S: +OK 3 octets\nS: m\nS: .\nS: -ERR No such message\nS: +OK 3 octets\nS: m\nS: .
     S: +OK Deleted at QUIT\nS: -ERR No such message
     S: +OK 3 octets\nS: m\nS: .\nS: +OK 3 octets\nS: m\nS: .`,
  )
  assert.equal(pop3.done.began, [1, 3, 5, 5])
  wire.destroy()
})

test('a retrieval whose peer leaves is aborted, early ones too', async () => {
  let aborted = 0
  const messages = Array.from({ length: 3 }, () =>
    stored('m\r\n', async function* (signal) {
      await new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          aborted++
          reject(new Error('aborted'))
        }),
      )
      yield Buffer.from('m\r\n')
    }),
  )
  const pop3 = await given(messages)
  const wire = await playTo(pop3, login('3 messages (9 octets)'))
  wire.send('RETR 1\r\nRETR 2\r\nRETR 3\r\n')
  await until(() => pop3.done.began.length === 3)
  wire.destroy()
  await until(() => aborted === 3)
  assert.is(pop3.done.released, 1)
})

test('a peer that leaves while its password is checked leaves no maildrop locked', async () => {
  const pop3 = await given(two())
  let letGo: (() => void) | undefined
  pop3.checking.before = () => new Promise((resolve) => (letGo = resolve))
  const wire = await playTo(pop3, `C: USER alice\nS: +OK …\nC: PASS ${password}`)
  await until(() => letGo !== undefined)
  wire.destroy()
  await delay(100)
  letGo?.()
  await until(() => pop3.done.released === 1)
  assert.not(pop3.isLocked())
  assert.equal(pop3.seen.facts, [])
})

test('ten thousand pipelined commands are all answered', async () => {
  const wire = await playTo(await given(two()), login('2 messages (65 octets)'))
  wire.send('NOOP\r\n'.repeat(10_000) + 'STAT\r\n')
  assert.is((await wire.until('+OK 2 65\r\n')).length, 10_000 * 5 + 10)
  wire.destroy()
})

test('a peer that sends all its commands and half-closes gets all its answers', async () => {
  const pop3 = await given(two())
  const socket = connect({ port: pop3.plain, host: '127.0.0.1', allowHalfOpen: true })
  socket.end('CAPA\r\nNOOP\r\n')
  const answers = (await Array.fromAsync(socket)).join('')
  assert.match(answers, /IMPLEMENTATION Sealpost\r\n\.\r\n-ERR That command is not valid now\r\n$/)
})

test('commands that make no sense are counted, and too many close the connection', async () => {
  const pop3 = await given(two(), { badCommands: 3 })
  const wire = await playTo(
    pop3,
    `C: HELO x\nS: -ERR Unknown command\nC: RETR x\nS: -ERR Syntax: RETR number
     C: \0\xff\nS: -ERR Unknown command\nEND`,
  )
  wire.destroy()
  assert.equal(pop3.seen.refused, ['bad-command', 'bad-command', 'bad-command'])
})

test('a peer that says nothing is closed without a word, and its deletions do not happen', async () => {
  const pop3 = await given(two(), { pop3Idle: 3 })
  const wire = await playTo(pop3, `${login('2 messages (65 octets)')}\nC: DELE 1\nS: +OK Deleted at QUIT\nEND`)
  wire.destroy()
  assert.equal(pop3.done.updates, [])
  await until(() => pop3.seen.ends.length === 1)
  assert.is(pop3.seen.ends[0]?.outcome, 'timeout')
})

test('a peer that does not take its message is closed after the idle time', async () => {
  const octets = Buffer.alloc(32 * 1024 * 1024, 'a line of the message\r\n')
  const pieces = Array.from({ length: 512 }, (_, i) => octets.subarray(i << 16, (i + 1) << 16))
  const pop3 = await given([stored(octets, () => pieces)], { pop3Idle: 2 })
  const socket = connectTls({ port: pop3.secure, host: '127.0.0.1', rejectUnauthorized: false })
  socket.on('error', () => undefined)
  socket.write(`AUTH PLAIN ${sasl('alice', password)}\r\nRETR 1\r\n`)
  await until(() => pop3.seen.ends.length === 1)
  assert.is(pop3.seen.ends[0]?.outcome, 'timeout')
  assert.ok((pop3.seen.ends[0]?.octetsOut ?? 0) < octets.length / 2)
  socket.destroy()
})

test('more sessions than the limit are turned away', async () => {
  const pop3 = await given(two(), { pop3Sessions: 1 })
  const first = await playTo(pop3, '')
  const second = await openWire(pop3.plain)
  assert.is(await second.line(), '-ERR [SYS/TEMP] Too busy, try again later')
  await second.closed()
  first.destroy()
  assert.equal(pop3.seen.refused, ['too-many-sessions'])
})

test('a large maildrop is listed whole', async () => {
  const one = stored('m\r\n')
  const pop3 = await given(Array.from({ length: 100_000 }, () => one))
  const wire = await playTo(pop3, login('100000 messages (300000 octets)'))
  wire.send('LIST\r\n')
  const lines = (await wire.until('\r\n.\r\n')).toString().split('\r\n')
  assert.is(lines.length, 100_003)
  assert.is(lines[100_000], '100000 3')
  wire.destroy()
})

test('closing lets a running RETR finish and closes who is waiting', async () => {
  let letGo = () => {}
  const message = stored('m\r\n', async function* () {
    await new Promise<void>((resolve) => (letGo = resolve))
    yield Buffer.from('m\r\n')
  })
  const pop3 = await given([message])
  const idle = await openWire(pop3.plain)
  await idle.line()
  const busy = await playTo(pop3, login('1 message (3 octets)'))
  busy.send('RETR 1\r\nNOOP\r\n')
  await until(() => pop3.done.began.length === 1)
  const closed = pop3.server.close(30_000)
  await idle.closed()
  letGo()
  await play(busy, 'S: +OK 3 octets\nS: m\nS: .\nEND')
  busy.destroy()
  idle.destroy()
  await closed
  assert.equal(
    pop3.seen.ends.map(({ outcome }) => outcome),
    ['shutdown'],
  )
})

test('a port that is in use is refused in one sentence, and nothing is left listening', async () => {
  const other = createServer()
  const port = await new Promise<number>((resolve) =>
    other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port)),
  )
  const deps = { limits: {}, loadBalancers: noBalancers, tls: () => ({ key: '', cert: '' }) } as never as Parameters<
    typeof startPop3
  >[0]
  const listeners = [0, port].map((port) => ({ host: '127.0.0.1', port, protocol: 'pop3' as const }))
  const error = await startPop3({ ...deps, listeners }).catch((error: unknown) => error)
  assert.instance(error, GatewayError)
  assert.is((error as GatewayError).code, 'start-refused')
  assert.is((error as GatewayError).message, `port ${port} is already in use on 127.0.0.1`)
  await new Promise((resolve) => other.close(resolve))
})

test.run()
