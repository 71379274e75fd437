import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Pop3Client, pop3Client } from '../support/pop3Client.ts'
import { type Answer, type Provider, type ProviderOptions, startProvider } from '../support/pop3Provider.ts'
import { assertChain, ofType, proxiedLog } from '../support/proxiedLog.ts'
import { startProxyGateway } from '../support/proxyGateway.ts'
import { say } from '../support/said.ts'
import { testAuthority, untrusted } from '../support/testAuthority.ts'
import { openWire } from '../support/wire.ts'

const authority = await testAuthority()
const certificate = await authority.issue({ names: ['localhost'] })
const provide = (options: Partial<ProviderOptions> = {}) => startProvider({ ...certificate, ...options })

const provider = await provide()
const upgrading = await provide({ tls: 'upgrade' })
const stripped = await provide({ tls: 'none' })
const simple = await provide({ capabilities: ['TOP', 'USER'], withoutUidl: true })
const ancient = await provide({ lineEnd: '\n' })
const pairs = await untrusted(authority, 'pop.example.net')
const wrongName = await provide(pairs.wrongName)
const expired = await provide(pairs.expired)
const unknownAuthority = await provide(pairs.unknownAuthority)
const steps = ['', 'CAPA', 'USER', 'PASS', 'STAT', 'UIDL', 'RETR', 'DELE', 'QUIT'] as const
/** One for each step, so that nobody waits for them one after the other. */
const silent = await Promise.all(steps.map(async (step) => ({ step, at: await provide() })))
const others = [provider, upgrading, stripped, simple, ancient, wrongName, expired, unknownAuthority]
const providers = [...others, ...silent.map(({ at }) => at)]

const proxying = async (env: Readonly<Record<string, string>> = {}) => {
  const gateway = await startProxyGateway(
    authority,
    providers.map(({ port }) => port),
    { env },
  )
  const mailbox = await gateway.createMailbox('--name', 'proxied')
  return { gateway, mailbox, ...proxiedLog(gateway.data) }
}
const usual = await proxying()
/** For providers that are silent: the others have the usual time, which no slow machine exceeds. */
const impatient = await proxying({ SEALPOST_PROXY_ANSWER_TIMEOUT: '5' })
const { gateway, mailbox, position, since } = usual
const password = 'the password at the provider'

test.before.each(() => {
  for (const one of providers) {
    one.answer = () => undefined
    one.heard.length = one.deleted.length = 0
    one.mails = []
  }
})

test.after(async () => {
  await Promise.all(providers.map((one) => one.close()))
  assert.is(await impatient.gateway.stop(), 0)
  for (const { gateway } of [usual, impatient]) gateway.remove()
})

let users = 0
/** Of a user that nobody was before: what was refused to one counts against nobody else. */
const nameAt = ({ port }: Provider, at = mailbox.mailboxId) => `user-number-${++users}%localhost:${port}%${at}`
let mails = 0
const mailOf = (size = 0, text = `text number ${++mails}`) => ({
  uidl: `uid-${++mails}`,
  octets: Buffer.from(
    `Subject: ${text}\r\n\r\n.first\r\n${text}\r\n${`${'x'.repeat(70)}\r\n`.repeat(Math.ceil(size / 72))}`,
  ),
})
const large = 3_000_000

let addresses = 0
/** Of a client that nobody was before: what was refused to one is not counted against another. */
const nowhereSeen = () => ({ tls: true, from: `127.1.${++addresses >> 8}.${addresses & 255}` })
const client = ({ gateway } = usual): Promise<Pop3Client> => pop3Client(gateway.ports.pop3s, nowhereSeen())
const loggedIn = async (at: Provider, by = usual) => {
  const name = nameAt(at, by.mailbox.mailboxId)
  const one = await client(by)
  assert.match(await one.login(name, password), /^\+OK/)
  return Object.assign(one, { user: name })
}

const receivedSince = async (from: number, by = usual) => ofType(await by.since(from), 'MessageReceived')

/** The plaintexts of the newest messages, less the one header line that the gateway writes. */
const newest = async (count: number) => {
  const archive = await client()
  assert.match(await archive.login(mailbox.mailboxId, mailbox.password), /^\+OK/)
  const total = Number((await archive.command('STAT')).split(' ')[1])
  const found: Buffer[] = []
  for (let number = total - count + 1; number <= total; number++) {
    const text = (await archive.retrieve(number)).toString('latin1')
    const header =
      /^X-Sealpost-Source: pop3 localhost:\d+\r\n\tuser user-number-\d+\r\n\tid [^\r\n]*\r\n\t[^\r\n]*\r\n/.exec(text)
    if (!header) throw new Error(`no source: ${text.slice(0, 300)}`)
    found.push(Buffer.from(text.slice(header[0].length), 'latin1'))
  }
  await archive.quit()
  return found
}
const equal = (actual: readonly Buffer[], expected: readonly Buffer[]) =>
  assert.equal(actual.map(String), expected.map(String))

test('what a client reads at its provider comes to it unchanged, and a sealed copy lies in the mailbox', async () => {
  for (const at of [provider, upgrading, simple]) {
    const from = await position()
    at.mails = [mailOf(), mailOf(large), { uidl: 'empty', octets: Buffer.from('\r\n') }]
    const one = await loggedIn(at)
    const read = [await one.retrieve(1), await one.retrieve(2), await one.retrieve(3)]
    assert.is(await one.quit(), '+OK bye')
    equal(
      read,
      at.mails.map(({ octets }) => octets),
    )
    assert.is((await receivedSince(from)).length, 3)
    equal(await newest(3), read)
  }
})

test('one chain leads from the message to the proxy connection and the session, and tells no name', async () => {
  const from = await position()
  provider.mails = [mailOf()]
  const one = await loggedIn(provider)
  await one.retrieve(1)
  await one.quit()
  const events = await since(from)
  assertChain(events, { target: `localhost:${provider.port}`, mechanism: 'USER', source: 'pop3-proxy' })
  assert.ok(ofType(events, 'MessageReceived')[0]?.data.fingerprint)
  assert.not.match(JSON.stringify(events), /user-number|bye|provider ready/)
})

test('a message that was recorded is passed and not sealed again; changed content under its unique id is', async () => {
  const from = await position()
  for (const size of [0, large]) {
    const mail = mailOf(size)
    provider.mails = [mail]
    const one = await loggedIn(provider)
    for (let times = 0; times < 3; times++) equal([await one.retrieve(1)], [mail.octets])
    await one.quit()
    const again = await client()
    await again.login(one.user, password)
    await again.list('UIDL')
    equal([await again.retrieve(1)], [mail.octets])
    const changed = { ...mail, octets: Buffer.concat([mail.octets, Buffer.from('and more\r\n')]) }
    provider.mails = [changed]
    equal([await again.retrieve(1)], [changed.octets])
    await again.quit()
    equal(await newest(2), [mail.octets, changed.octets])
  }
  assert.is((await receivedSince(from)).length, 4)
})

test('another user of the same server, or another mailbox, has messages of its own', async () => {
  const from = await position()
  provider.mails = [mailOf()]
  for (let user = 0; user < 2; user++) {
    const one = await loggedIn(provider)
    await one.retrieve(1)
    await one.quit()
  }
  assert.is((await receivedSince(from)).length, 2)
})

test('what was never recorded is recorded before it is deleted; what was is only deleted', async () => {
  const from = await position()
  provider.mails = [mailOf(), mailOf(large), mailOf()]
  const one = await loggedIn(provider)
  await one.retrieve(3)
  for (const number of [1, 2, 3]) assert.is(await one.command(`DELE ${number}`), '+OK marked')
  assert.is(await one.quit(), '+OK bye')
  const said = provider.heard.filter((line) => /^(RETR|DELE|QUIT)/.test(line))
  assert.equal(said, ['RETR 3', 'RETR 1', 'DELE 1', 'RETR 2', 'DELE 2', 'DELE 3', 'QUIT'])
  assert.is((await receivedSince(from)).length, 3)
  equal(
    await newest(3),
    [provider.mails[2], provider.mails[0], provider.mails[1]].map((mail) => mail?.octets ?? Buffer.of()),
  )
})

test('another message under a unique id that was recorded is recorded before it is deleted; the same one is not again', async () => {
  const from = await position()
  for (const size of [0, large]) {
    const mail = mailOf(size)
    provider.mails = [mail]
    const one = await loggedIn(provider)
    await one.retrieve(1)
    await one.quit()
    // Of the same size, as notifications are.
    const other = { uidl: mail.uidl, octets: Buffer.from(mail.octets.toString().replace('Subject: t', 'Subject: T')) }
    for (const there of [mail, other]) {
      provider.mails = [there]
      provider.heard.length = 0
      const later = await client()
      await later.login(one.user, password)
      for (let times = 0; times < 2; times++) assert.is(await later.command('DELE 1'), '+OK marked')
      await later.quit()
      assert.equal(
        provider.heard.filter((line) => /^(RETR|DELE)/.test(line)),
        ['RETR 1', 'DELE 1', 'DELE 1'],
      )
    }
    equal(await newest(2), [mail.octets, other.octets])
  }
  assert.is((await receivedSince(from)).length, 4)
})

test('a TOP that gives the whole message counts as a RETR, another does not', async () => {
  const from = await position()
  const mail = mailOf()
  provider.mails = [mail]
  const one = await loggedIn(provider)
  const text = mail.octets.toString()
  assert.is(String(await one.list('TOP 1 0')), text.slice(0, text.indexOf('\r\n\r\n') + 4))
  assert.is(String(await one.list('TOP 1 1')), `${text.split('\r\n').slice(0, 3).join('\r\n')}\r\n`)
  assert.is((await since(from, false)).filter(({ type }) => type === 'MessageReceived').length, 0)
  for (const lines of [2, 3, 99_999_999, 9_999_999_999]) assert.is(String(await one.list(`TOP 1 ${lines}`)), text)
  await one.quit()
  assert.is((await receivedSince(from)).length, 1)
  assert.equal(provider.heard.filter((line) => line.startsWith('TOP')).slice(0, 3), ['TOP 1 1', 'TOP 1 2', 'TOP 1 3'])
})

test('a TOP that brings less than the server lists is no copy: the message is recorded before it is deleted', async () => {
  const from = await position()
  const mail = mailOf()
  provider.mails = [mail]
  provider.answer = (line) => (line.startsWith('TOP') ? '+OK\r\nSubject: short\r\n\r\n.' : undefined)
  const one = await loggedIn(provider)
  await one.list('TOP 1 1000')
  assert.match(await one.command('DELE 1'), /^\+OK/)
  await one.quit()
  assert.is((await receivedSince(from)).length, 1)
  equal(await newest(1), [mail.octets])
  assert.ok(provider.heard.includes('RETR 1'))
})

test('a server that ends its lines with bare LF is read as if it had written CRLF', async () => {
  ancient.mails = [mailOf(), mailOf(large)]
  const one = await loggedIn(ancient)
  const read = [await one.retrieve(1), await one.retrieve(2)]
  await one.quit()
  equal(
    read,
    ancient.mails.map(({ octets }) => octets),
  )
  equal(await newest(2), read)
})

test('bare LF in the mail of any other server is content, and ends nothing', async () => {
  const octets = Buffer.from('Subject: bare\n\nbefore\n.\nbetween\n.\r\n\r\n.\n\r.\r\nafter\r\n')
  provider.mails = [{ uidl: 'bare', octets }]
  const one = await loggedIn(provider)
  one.wire.send('RETR 1\r\nNOOP\r\n')
  await one.wire.line()
  const reply = await one.wire.until('after\r\n.\r\n')
  assert.is(reply.toString(), 'Subject: bare\n\nbefore\n.\nbetween\n.\r\n\r\n..\n\r.\r\nafter\r\n.\r\n')
  assert.is(await one.wire.line(), '+OK')
  await one.quit()
})

test('commands that are not known pass as they are, and their refusals; those that would escape the gateway do not', async () => {
  provider.mails = [mailOf()]
  const one = await loggedIn(provider)
  provider.answer = (line) => (line.startsWith('X') ? `+OK you said ${line}` : undefined)
  assert.is(await one.command('XTND  some Words'), '+OK you said XTND  some Words')
  assert.is(await one.command('FROB 1'), '-ERR what?')
  assert.is(await one.command('DELE 99'), '-ERR no such message here')
  provider.heard.length = 0
  for (const line of [
    'RETR 1x',
    'RETR\t1',
    'X\x00Y',
    'X\rRETR 1',
    'UTF8',
    'LANG',
    'AUTH PLAIN',
    'STLS',
    'APOP a b',
    'USER x',
  ])
    assert.match(await one.command(line), /^-ERR (?!what)/, line)
  assert.equal(provider.heard, [])
  const capabilities = String(await one.list('CAPA'))
  assert.is(capabilities, 'TOP\r\nUIDL\r\nEXPIRE NEVER\r\nPIPELINING\r\n')
  await one.quit()
})

test('a client may send its commands ahead of the answers, whatever its provider can do', async () => {
  provider.mails = [mailOf(), mailOf(large), mailOf()]
  const name = nameAt(provider)
  say(name, password)
  const wire = await openWire(gateway.ports.pop3s, nowhereSeen())
  wire.send(`USER ${name}\r\nPASS ${password}\r\nSTAT\r\nRETR 1\r\nRETR 2\r\nRETR 3\r\nDELE 1\r\nQUIT\r\n`)
  const all = (await wire.until('+OK bye\r\n')).toString()
  assert.equal(all.match(/^\+OK[^\r\n]*/gm)?.slice(1), [
    '+OK Send the password', '+OK logged in', '+OK 3 1000', '+OK message follows', '+OK message follows', '+OK message follows', '+OK marked', '+OK bye',
  ]) // prettier-ignore
  await wire.closed()
  assert.equal(provider.deleted, [provider.mails[0]?.uidl])
})

const auth = async (mechanism: string, message: string) => {
  const wire = await openWire(gateway.ports.pop3s, nowhereSeen())
  await wire.line()
  const response = Buffer.from(message).toString('base64')
  say(message, response)
  wire.send(`AUTH ${mechanism}\r\n`)
  assert.is(await wire.line(), '+ ')
  wire.send(`${response}\r\n`)
  return { wire, answer: await wire.line() }
}

test('PLAIN, XOAUTH2 and OAUTHBEARER reach the provider with nothing but the user name rewritten', async () => {
  const token = `ya29.${'vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg'.repeat(40)}`
  const said = (of: (name: string) => string) => {
    const name = nameAt(provider)
    return [of(name), of(name.split('%')[0] ?? '')] as const
  }
  for (const [mechanism, [message, expected]] of [
    ['PLAIN', said((name) => `\0${name}\0a password`)],
    ['PLAIN', said((name) => `${name}\0${name}\0a password`)],
    ['XOAUTH2', said((name) => `user=${name}\x01auth=Bearer ${token}\x01\x01`)],
    ['OAUTHBEARER', said((name) => `n,a=${name},\x01host=pop.example.net\x01port=995\x01auth=Bearer ${token}\x01\x01`)],
  ] as const) {
    provider.heard.length = 0
    const { wire, answer } = await auth(mechanism, message)
    assert.is(answer, '+OK logged in by SASL')
    assert.equal(provider.heard, ['CAPA', `AUTH ${mechanism}`, Buffer.from(expected).toString('base64')])
    wire.send('QUIT\r\n')
    await wire.closed()
  }
})

test('the challenge of an OAuth failure comes to the client, and its response to the provider', async () => {
  const challenge = Buffer.from('{"status":"401","schemes":"bearer"}').toString('base64')
  provider.answer = (line) => {
    if (line.length > 100) return `+ ${challenge}`
    return line === 'AQ==' ? '-ERR [AUTH] Invalid credentials' : undefined
  }
  const { wire, answer } = await auth('XOAUTH2', `user=${nameAt(provider)}\x01auth=Bearer ${'t'.repeat(200)}\x01\x01`)
  assert.is(answer, `+ ${challenge}`)
  wire.send('AQ==\r\n')
  assert.is(await wire.line(), '-ERR [AUTH] Invalid credentials')
  wire.send('CAPA\r\n')
  assert.is(await wire.line(), '+OK Capability list follows')
  wire.destroy()
})

test('a provider that does not offer OAuth is named as the reason', async () => {
  const { wire, answer } = await auth('XOAUTH2', `user=${nameAt(simple)}\x01auth=Bearer ${'t'.repeat(200)}\x01\x01`)
  assert.match(answer, /^-ERR \[AUTH\] The server does not offer this way to log in/)
  wire.destroy()
})

test('a refused login is told in the words of the provider, and may be tried again on the same connection', async () => {
  provider.answer = (line) => (line === 'PASS wrong at first' ? '-ERR [AUTH] Sorry, no.' : undefined)
  const one = await client()
  const name = nameAt(provider)
  assert.is(await one.login(name, 'wrong at first'), '-ERR [AUTH] Sorry, no.')
  // The first failure costs a second.
  await delay(1100)
  assert.is(await one.login(name, password), '+OK logged in')
  await one.quit()
  for (const [step, answer] of [
    ['', '-ERR [SYS/TEMP] come later'],
    ['USER', '-ERR [AUTH] not you'],
  ] as const) {
    provider.answer = (line) => (line.split(' ')[0] === step ? answer : undefined)
    const refused = await client()
    assert.is(await refused.login(nameAt(provider), password), answer)
    refused.wire.destroy()
  }
})

test('who writes a wrong name is told what is wrong, and nobody is dialled', async () => {
  const suspended = await gateway.createMailbox('--name', 'suspended')
  await gateway.command('mailbox', 'suspend', suspended.mailboxId, '--reason', 'test')
  for (const [name, answer] of [
    ['anna%', /^-ERR \[AUTH\] .*user%server%mailbox/],
    [`%localhost:${provider.port}%${mailbox.mailboxId}`, /^-ERR \[AUTH\] .*user%server%mailbox/],
    [nameAt(provider, 'nobody-here'), /^-ERR \[AUTH\] .*no such mailbox/],
    [nameAt(provider, suspended.mailboxId), /^-ERR \[SYS\/TEMP\] Mailbox is suspended/],
    [`anna%localhost:1%${mailbox.mailboxId}`, /^-ERR \[AUTH\] .*may not connect/],
    [`anna%pop.example.net%${mailbox.mailboxId}`, /^-ERR \[AUTH\] .*may not connect/],
  ] as const) {
    const one = await client()
    assert.match(await one.login(name, password), answer)
    one.wire.destroy()
  }
  assert.equal(provider.heard, [])
})

test('no password goes to a server without TLS, or without a certificate that is valid for it', async () => {
  for (const [at, answer] of [
    [stripped, /^-ERR \[SYS\/PERM\] .*no TLS/],
    [wrongName, /^-ERR \[SYS\/PERM\] .*not valid for that name: it is for pop\.example\.net/],
    [expired, /^-ERR \[SYS\/PERM\] .*has expired/],
    [unknownAuthority, /^-ERR \[SYS\/PERM\] .*authority that this gateway does not know/],
  ] as const) {
    const one = await client()
    assert.match(await one.login(nameAt(at), password), answer)
    one.wire.destroy()
    assert.not.match(at.heard.join('\n'), /USER|PASS|AUTH|provider/)
  }
})

test('a server that refuses STLS, or says more behind its consent, gets no password', async () => {
  const injecting: Answer = (line, socket) => {
    if (line !== 'STLS') return undefined
    socket.write('+OK begin TLS\r\n+OK CAPA\r\nUSER\r\n.\r\n')
    return null
  }
  const refusing: Answer = (line, socket) => {
    if (line !== 'STLS') return undefined
    socket.write('-ERR not now\r\n')
    return null
  }
  const unwell: Answer = (line, socket) => {
    if (line !== 'STLS') return undefined
    socket.write('-ERR [SYS/TEMP] no entropy left\r\n')
    return null
  }
  for (const [answer, told] of [
    [unwell, /^-ERR \[SYS\/TEMP\] .*try again later/],
    [injecting, /^-ERR \[SYS\/TEMP\] .*before TLS/],
    [refusing, /^-ERR \[SYS\/PERM\] .*no TLS/],
  ] as const) {
    upgrading.heard.length = 0
    upgrading.answer = answer
    const one = await client()
    assert.match(await one.login(nameAt(upgrading), password), told)
    one.wire.destroy()
    assert.not.match(upgrading.heard.join('\n'), /USER|PASS|AUTH|provider/)
  }
})

const endless = 'x'.repeat(100_000_000)
const resets: Answer = (_, socket) => {
  socket.destroy()
  return null
}
/** How a server may fail in the place of its answer. */
const failures: Readonly<Record<string, Answer>> = {
  'resets the connection': resets,
  'sends a line of 100 MB': () => endless,
  'talks nonsense': () => 'HTTP/1.1 400 Bad Request',
  'answers what a challenge is': () => '+ eyJ',
}
type Step = (typeof steps)[number]

/** What a client with one message does until it is told a failure, or the connection ends. */
const throughAll = async (at: Provider, by: typeof usual): Promise<string> => {
  const one = await client(by)
  try {
    const login = await one.login(nameAt(at, by.mailbox.mailboxId), password)
    if (!login.startsWith('+OK')) return login
    for (const line of ['STAT', 'UIDL 1']) {
      const answer = await one.command(line)
      if (!answer.startsWith('+OK')) return answer
    }
    const answer = await one.retrieve(1).then(() => '+OK', String)
    if (answer !== '+OK') return answer
    for (const line of ['DELE 1', 'QUIT']) {
      const last = await one.command(line)
      if (!last.startsWith('+OK')) return last
    }
    return '+OK'
  } finally {
    one.wire.destroy()
  }
}

const failsAt = async (step: Step, failure: Answer, at: Provider, by = usual) => {
  const from = await by.position()
  at.mails = [mailOf()]
  at.deleted.length = 0
  at.answer = (line, socket) => (line.split(' ')[0] === step ? failure(line, socket) : undefined)
  const told = await throughAll(at, by)
  assert.match(told, /-ERR \[SYS\/TEMP\] (localhost|The (connection to the )?server)/, `${step}: ${told.slice(0, 300)}`)
  assert.equal(at.deleted, [], step)
  const received = (await receivedSince(from, by)).filter(({ data }) => data.target === `localhost:${at.port}`)
  assert.is(received.length, ['DELE', 'QUIT'].includes(step) ? 1 : 0, step)
}

const isTold = 'is told as that; nothing is deleted, and no half message recorded'

test(`a server that is silent, at whatever step, ${isTold}`, async () => {
  await Promise.all(silent.map(({ step, at }) => failsAt(step, () => null, at, impatient)))
})

for (const [name, failure] of Object.entries(failures))
  test(`a server that ${name}, at whatever step, ${isTold}`, async () => {
    for (const step of steps) await failsAt(step, failure, provider)
  })

const breaksOff = async (size: number, failure: Answer, at: Provider, by = usual) => {
  const from = await by.position()
  const mail = mailOf(size)
  at.mails = [mail]
  at.answer = (line, socket) => {
    if (!line.startsWith('RETR')) return undefined
    const half = mail.octets.subarray(0, mail.octets.length / 2)
    socket.write(Buffer.concat([Buffer.from('+OK half\r\n'), half]), () => failure(line, socket))
    return null
  }
  const one = await loggedIn(at, by)
  const told = await one.retrieve(1).then(() => 'all of it', String)
  assert.match(told, size === 0 ? /-ERR \[SYS\/TEMP\]/ : /the connection closed/)
  one.wire.destroy()
  assert.is((await receivedSince(from, by)).length, 0)
}

test('a message that breaks off half-way, small or large, is never ended at the client, and not recorded', async () => {
  const sizes = [0, large]
  await Promise.all(silent.slice(0, 2).map(({ at }, index) => breaksOff(sizes[index] ?? 0, () => null, at, impatient)))
  for (const size of sizes) await breaksOff(size, resets, provider)
})

test('a client that leaves takes its provider connection along: nothing is deleted, no half message recorded', async () => {
  for (const step of ['', 'CAPA', 'USER', 'PASS', 'UIDL', 'RETR', 'DELE']) {
    const from = await position()
    provider.mails = [mailOf(large), mailOf()]
    provider.heard.length = 0
    const one = await client()
    provider.answer = (line, socket) => {
      if (line.split(' ')[0] !== step) return undefined
      if (step === 'RETR') socket.write(Buffer.concat([Buffer.from('+OK\r\n'), Buffer.alloc(large, 'a line\r\n')]))
      one.wire.destroy()
      return null
    }
    await one
      .login(nameAt(provider), password)
      .then(() => one.command('DELE 2'))
      .catch(() => undefined)
    await provider.idle()
    assert.equal([provider.deleted, provider.heard.filter((line) => line === 'QUIT')], [[], []], step)
    assert.is((await receivedSince(from)).length, step === 'DELE' ? 1 : 0, step)
  }
})

test('a provider that closes while nothing is asked of it ends the session', async () => {
  const one = await loggedIn(provider)
  let hangUp = () => {}
  provider.answer = (_, socket) => {
    hangUp = () => socket.destroy()
    return undefined
  }
  assert.is(await one.command('NOOP'), '+OK')
  hangUp()
  await one.wire.closed()
})

test('a gateway that stops closes proxied sessions, and every session that there was is consistent with its record', async () => {
  const one = await loggedIn(provider)
  assert.is(await gateway.stop(), 0)
  await one.wire.closed()
  assert.not.match(gateway.output(), /defect|not recorded/)
})

test.run()
