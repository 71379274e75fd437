import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { setTimeout as delay } from 'node:timers/promises'
import type { Recorded } from '../../src/core/events.ts'
import { assertChain, ofType, proxiedLog } from '../support/proxiedLog.ts'
import { startProxyGateway } from '../support/proxyGateway.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { smallDiskTest } from '../support/peers.ts'
import { say } from '../support/said.ts'
import { type SmtpClient, smtpClient } from '../support/smtpClient.ts'
import { silence, startSmtpProvider, type SmtpProvider, type SmtpProviderOptions } from '../support/smtpProvider.ts'
import { testAuthority, untrusted } from '../support/testAuthority.ts'
import { logIn } from '../support/testGateway.ts'
import { until } from '../support/until.ts'
import { openWire, type Wire } from '../support/wire.ts'

const authority = await testAuthority()
const certificate = await authority.issue({ names: ['localhost'] })
const provide = (options: Partial<SmtpProviderOptions> = {}) => startSmtpProvider({ ...certificate, ...options })

const provider = await provide()
const upgrading = await provide({ tls: 'upgrade' })
const stripped = await provide({ tls: 'none' })
const simple = await provide({ extensions: ['AUTH LOGIN'] })
const pairs = await untrusted(authority, 'smtp.example.net')
const wrongName = await provide(pairs.wrongName)
const expired = await provide(pairs.expired)
const unknownAuthority = await provide(pairs.unknownAuthority)
const providers = [provider, upgrading, stripped, simple, wrongName, expired, unknownAuthority]

const proxying = async (env: Readonly<Record<string, string>>) => {
  const gateway = await startProxyGateway(
    authority,
    providers.map(({ port }) => port),
    { env },
  )
  const mailbox = await gateway.createMailbox('--name', 'proxied')
  return { gateway, mailbox, ...proxiedLog(gateway.data) }
}
type Proxying = Awaited<ReturnType<typeof proxying>>

const usual = await proxying({ SEALPOST_LIMITS_MESSAGE_SIZE: '8MiB' })
/** For providers that are silent: the others have the usual time, which no slow machine exceeds. */
const impatient = await proxying({ SEALPOST_PROXY_ANSWER_TIMEOUT: '4', SEALPOST_PROXY_REPLY_TIMEOUT: '1' })
const { gateway, mailbox, position, since } = usual
const password = 'the password at the provider'

const clients: SmtpClient[] = []

test.before.each(async () => {
  for (const one of clients.splice(0)) one.wire.destroy()
  for (const one of providers) {
    await one.idle()
    one.answer = () => undefined
    one.heard.length = one.mails.length = one.unended.length = 0
  }
})

test.after(async () => {
  await Promise.all(providers.map((one) => one.close()))
  for (const one of [gateway, impatient.gateway]) {
    assert.is(await one.stop(), 0)
    one.remove()
  }
})

let users = 0
/** Of a user that nobody was before: what was refused to one counts against nobody else. */
const nameAt = ({ port }: SmtpProvider, at: string = mailbox.mailboxId) =>
  `sender-number-${++users}@example.com%localhost:${port}%${at}`
let addresses = 0
const nowhereSeen = () => ({ from: `127.2.${++addresses >> 8}.${addresses & 255}` })
const client = async ({ gateway } = usual): Promise<SmtpClient> => {
  const one = await smtpClient(gateway.ports.submissions, { tls: true, ...nowhereSeen() })
  clients.push(one)
  return one
}
const loggedIn = async (at: SmtpProvider, by = usual) => {
  const one = await client(by)
  assert.is(await one.login(nameAt(at, by.mailbox.mailboxId), password), '235 2.7.0 Welcome at the provider')
  return one
}

/** What became of each message, in the order of their receipt. */
const fates = (events: readonly Recorded[]) =>
  ofType(events, 'MessageReceived').map(({ data: { messageId } }) =>
    events.flatMap((event) => {
      if (event.type === 'MessageRelayed' && event.data.messageId === messageId)
        return [`${event.data.outcome} ${event.data.code ?? '-'}`]
      return event.type === 'MessageRelayRefused' && event.data.messageId === messageId
        ? [`refused ${event.data.code}`]
        : []
    }),
  )

/** The newest messages of the maildrop. */
const newest = async (count: number) => {
  const archive = await pop3Client(gateway.ports.pop3s, { tls: true, ...nowhereSeen() })
  assert.match(await archive.login(mailbox.mailboxId, mailbox.password), /^\+OK/)
  const total = Number((await archive.command('STAT')).split(' ')[1])
  const found: string[] = []
  for (let number = total - count + 1; number <= total; number++)
    found.push((await archive.retrieve(number)).toString('latin1'))
  await archive.quit()
  return found
}
const inMaildrop = async ({ gateway, mailbox } = usual) => {
  const archive = await pop3Client(gateway.ports.pop3s, { tls: true, ...nowhereSeen() })
  await archive.login(mailbox.mailboxId, mailbox.password)
  const total = Number((await archive.command('STAT')).split(' ')[1])
  await archive.quit()
  return total
}

const trace =
  /^Received: from client\.example \(\[127\.[\d.]+\]\)\r\n\tby gateway\.test with (\S+) \(TLSv1\.3 \S+\)\r\n\tid \S+ \(session \S+\);\r\n\t[^\r\n]+\r\nX-Sealpost-Envelope-From: <([^\r\n]*)>\r\n((?:X-Sealpost-Envelope-To: <[^\r\n]*>\r\n)+)/
const opened = (text: string) => {
  const [header = '', protocol, from, to = ''] = trace.exec(text) ?? []
  assert.is.not(header, '', text.slice(0, 500))
  return { protocol, from, to: [...to.matchAll(/<(.*)>/g)].map(([, one]) => one), content: text.slice(header.length) }
}

let mails = 0
const mail = (text = `text number ${++mails}`) =>
  Buffer.from(`Subject: ${text}\r\n\r\n.first\r\n${text}\r\n..\r\n.\r\nlast\r\n`)
const asWritten = (bytes: Buffer) => bytes.toString('latin1')

test('what a client sends comes to its provider, and a sealed copy with the whole envelope lies in the mailbox', async () => {
  for (const at of [provider, upgrading, simple]) {
    const from = await position()
    const one = await loggedIn(at)
    const content = mail()
    say('bcc-recipient@example.org')
    assert.is(await one.command('MAIL FROM:<sender@example.com>'), '250 2.1.0 taken')
    assert.is(await one.command('RCPT TO:<recipient@example.org>'), '250 2.1.5 Recipient taken')
    assert.is(await one.command('RCPT TO:<bcc-recipient@example.org>'), '250 2.1.5 Recipient taken')
    assert.is(await one.command('DATA'), '354 Go on, end with a dot')
    one.wire.send(asWritten(content).replaceAll('\r\n.', '\r\n..'))
    assert.is(await one.command('.'), '250 2.0.0 Taken as 4711')
    await one.quit()
    const [taken] = at.mails
    assert.equal(
      [taken?.from, taken?.to],
      ['<sender@example.com>', ['<recipient@example.org>', '<bcc-recipient@example.org>']],
    )
    assert.is(taken?.octets.toString('latin1'), asWritten(content))
    const [copy = ''] = await newest(1)
    assert.equal(opened(copy), {
      protocol: 'ESMTPSA',
      from: 'sender@example.com',
      to: ['recipient@example.org', 'bcc-recipient@example.org'],
      content: asWritten(content),
    })
    assert.equal(fates(await since(from)), [['accepted 250']])
    assert.is(at.heard.at(-1), 'QUIT')
  }
})

test('one chain leads from the message to the proxy connection and the session, and tells no name', async () => {
  const from = await position()
  const one = await loggedIn(provider)
  await one.deliver('recipient@example.org', mail())
  await one.quit()
  const events = await since(from)
  assertChain(events, { target: `localhost:${provider.port}`, mechanism: 'PLAIN', source: 'smtp-proxy' })
  assert.equal(
    ofType(events, 'SessionOpened').map(({ data }) => data.protocol),
    ['submissions'],
  )
  assert.not.match(JSON.stringify(events), /sender-number|4711|Welcome/)
})

const smuggling = [
  '\n.\n', '\n.\r\n', '\r.\r\n', '\r\n.\r', '\r.\r', '\r\n.\n', '\r.\n', '\n.\r', '\r\r\n.\r\r\n', '\r\n\0.\r\n', '\n\0.\r\n', '\r\n.\0\r\n', '\0\r\n.\r\n'.slice(0, 3) + '\n.\n', '\r\n..\r\n',
] // prettier-ignore

test('no sequence that some server takes for the end of a message leaves the gateway within one', async () => {
  for (const sequence of smuggling) {
    const one = await loggedIn(provider)
    provider.mails.length = 0
    for (const command of ['MAIL FROM:<sender@example.com>', 'RCPT TO:<recipient@example.org>', 'DATA'])
      await one.command(command)
    one.wire.send(`Subject: one\r\n\r\nbefore${sequence}MAIL FROM:<forged@example.com>\r\nlast\r\n`)
    assert.is(await one.command('.'), '250 2.0.0 Taken as 4711', JSON.stringify(sequence))
    await one.quit()
    assert.is(provider.mails.length, 1)
    const [taken] = provider.mails
    const wire = taken?.wire.toString('latin1') ?? ''
    assert.not.match(wire, /(?<!\r)\n|\r(?!\n)|\0/)
    assert.not.match(wire, /(?:^|\n)\.(?:\r|\n|$)/)
    const [copy = ''] = await newest(1)
    assert.is(opened(copy).content, taken?.octets.toString('latin1'))
    assert.not.ok(provider.heard.some((line) => line.includes('forged')))
  }
})

test('with AUTH, MAIL or a RCPT come no line ends to the provider that make further commands of them', async () => {
  const one = await loggedIn(provider)
  provider.heard.length = 0
  for (const line of [
    'MAIL FROM:<sender@example.com\rRSET>',
    'MAIL FROM:<sender@example.com\nRSET>',
    'MAIL FROM:<"a\nb"@example.com>',
    'MAIL FROM:<sender@example.com> RET=HDRS\nRSET',
    'MAIL FROM:<sender@example.com> ENVID=a\0b',
    `MAIL FROM:<${'a'.repeat(600)}@example.com>`,
    `MAIL FROM:<sender@example.com> ENVID=${'a'.repeat(5000)}`,
    'MAIL FROM:<sender@example.com> XUNKNOWN=1',
    'MAIL FROM:<sender@example.com> BODY=BINARYMIME',
  ])
    assert.match(await one.command(line), /^5/, line)
  assert.equal(provider.heard, [])
  await one.quit()
  await provider.idle()
  for (const name of ['a\r\nRSET', 'a\nb', 'a\rb', 'a\0b']) {
    provider.heard.length = 0
    const other = await client()
    const message = `user=${name}%localhost:${provider.port}%${mailbox.mailboxId}\x01auth=Bearer tttttttt\x01\x01`
    const reply = await other.command(`AUTH XOAUTH2 ${Buffer.from(message).toString('base64')}`)
    assert.match(reply, /^(535|501) /, reply)
    other.wire.destroy()
    assert.equal(provider.heard, [])
  }
})

test('what a client sends in clear behind STARTTLS is thrown away', async () => {
  const wire = await openWire(gateway.ports.submission)
  await wire.line()
  const message = Buffer.from(`\0${nameAt(provider)}\0${password}`).toString('base64')
  wire.send(
    `EHLO client.example\r\nSTARTTLS\r\nEHLO evil.example\r\nAUTH PLAIN ${message}\r\nMAIL FROM:<evil@example.com>\r\n`,
  )
  await wire.until('220 2.0.0 Ready to start TLS\r\n')
  await wire.startTls()
  wire.send('NOOP\r\n')
  assert.is(await wire.line(), '250 2.0.0 OK')
  wire.send('MAIL FROM:<sender@example.com>\r\n')
  assert.is(await wire.line(), '503 5.5.1 Say EHLO first')
  wire.destroy()
  assert.equal(provider.heard, [])
})

const ehlo = async (wire: Wire) => {
  wire.send('EHLO client.example\r\n')
  return (await wire.until('250 ENHANCEDSTATUSCODES\r\n'))
    .toString()
    .split('\r\n')
    .map((line) => line.slice(4))
}

test('before TLS no login is offered or taken, and before the login nothing is relayed', async () => {
  const wire = await openWire(gateway.ports.submission)
  await wire.line()
  assert.not.ok((await ehlo(wire)).some((line) => line.startsWith('AUTH')))
  for (const [line, answer] of [
    ['AUTH PLAIN AGEAYg==', '538 5.7.11 Encryption is required to authenticate: use STARTTLS'],
    ['AUTH LOGIN', '538 5.7.11 Encryption is required to authenticate: use STARTTLS'],
    ['MAIL FROM:<sender@example.com>', '530 5.7.0 Must issue a STARTTLS command first'],
  ] as const) {
    wire.send(`${line}\r\n`)
    assert.is(await wire.line(), answer)
  }
  wire.send('STARTTLS\r\n')
  await wire.line()
  await wire.startTls()
  assert.ok((await ehlo(wire)).includes('AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER'))
  wire.send('MAIL FROM:<sender@example.com>\r\nRCPT TO:<recipient@example.org>\r\nDATA\r\n')
  for (let times = 0; times < 3; times++) assert.is(await wire.line(), '530 5.7.0 Authentication required')
  wire.destroy()
  assert.equal(provider.heard, [])
})

const authenticate = async (one: SmtpClient, ...lines: readonly string[]) => {
  let answer = ''
  for (const line of lines) {
    // The name of a mechanism is no secret.
    say(
      line
        .split(' ')
        .at(-1)
        ?.replace(/^[A-Z0-9\-]*$/v, '') ?? '',
    )
    one.wire.send(`${line}\r\n`)
    answer = await one.wire.line()
  }
  return answer
}
const base64 = (text: string) => Buffer.from(text).toString('base64')

test('each mechanism reaches the provider with nothing but the user name rewritten', async () => {
  const token = `ya29.${'vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg'.repeat(60)}`
  const xoauth2 = (name: string) => base64(`user=${name}\x01auth=Bearer ${token}\x01\x01`)
  const bearer = (name: string) =>
    base64(`n,a=${name},\x01host=smtp.example.net\x01port=465\x01auth=Bearer ${token}\x01\x01`)
  const plain = (name: string) => base64(`\0${name}\0${password}`)
  for (const [send, heard] of [
    [(name: string) => [`AUTH PLAIN ${plain(name)}`], (user: string) => [`AUTH PLAIN ${plain(user)}`]],
    [(name: string) => ['AUTH PLAIN', plain(name)], (user: string) => [`AUTH PLAIN ${plain(user)}`]],
    [
      (name: string) => ['AUTH LOGIN', base64(name), base64(password)],
      (user: string) => ['AUTH LOGIN', base64(user), base64(password)],
    ],
    [
      (name: string) => [`auth login ${base64(name)}`, base64(password)],
      (user: string) => ['AUTH LOGIN', base64(user), base64(password)],
    ],
    [(name: string) => [`AUTH XOAUTH2 ${xoauth2(name)}`], (user: string) => ['AUTH XOAUTH2', xoauth2(user)]],
    [(name: string) => ['AUTH OAUTHBEARER', bearer(name)], (user: string) => ['AUTH OAUTHBEARER', bearer(user)]],
  ] as const) {
    provider.heard.length = 0
    const name = nameAt(provider)
    const one = await client()
    assert.is(await authenticate(one, ...send(name)), '235 2.7.0 Welcome at the provider')
    assert.equal(provider.heard, ['EHLO gateway.test', ...heard(name.split('%')[0] ?? '')])
    await one.quit()
    await provider.idle()
  }
})

test('PLAIN and LOGIN stand for each other where the provider has one of them', async () => {
  const one = await client()
  const name = nameAt(simple)
  await one.login(name, password)
  assert.equal(simple.heard.slice(1), ['AUTH LOGIN', base64(name.split('%')[0] ?? ''), base64(password)])
  await one.quit()
  const other = await client()
  const message = base64(`user=${nameAt(simple)}\x01auth=Bearer tttttttt\x01\x01`)
  assert.match(
    await other.command(`AUTH XOAUTH2 ${message}`),
    /^504 5\.5\.4 The server does not offer this way to log in/,
  )
  other.wire.destroy()
})

test('a login that is cancelled or malformed reaches nobody', async () => {
  const one = await client()
  for (const [lines, answer] of [
    [['AUTH PLAIN', '*'], '501 5.0.0 Authentication cancelled'],
    [['AUTH LOGIN', base64('a'), '*'], '501 5.0.0 Authentication cancelled'],
    [['AUTH PLAIN ='], '501 5.5.2 '],
    [['AUTH PLAIN not-base64'], '501 5.5.2 '],
    [['AUTH LOGIN', '%%%'], '501 5.5.2 '],
    [['AUTH CRAM-MD5'], '504 5.5.4 '],
    [[`AUTH PLAIN ${base64('\0anna\0password')}`], '535 5.7.8 The user name must be written as user%server%mailbox'],
  ] as const)
    assert.ok((await authenticate(one, ...lines)).startsWith(answer), lines.join())
  one.wire.destroy()
  assert.equal(provider.heard, [])
})

test('the challenge of an OAuth failure comes to the client, and its response to the provider', async () => {
  const challenge = base64('{"status":"401","schemes":"bearer"}')
  provider.answer = (line) => {
    if (line.startsWith('AUTH')) return `334 ${challenge}`
    return line === 'AQ==' || line === '*'
      ? '535-5.7.8 Username and Password not accepted.\r\n535 5.7.8 See the help'
      : undefined
  }
  for (const [response, passed] of [
    ['AQ==', 'AQ=='],
    ['not\rbase64', '*'],
  ] as const) {
    const one = await client()
    const message = base64(`user=${nameAt(provider)}\x01auth=Bearer tttttttt\x01\x01`)
    assert.is(await one.command(`AUTH XOAUTH2 ${message}`), `334 ${challenge}`)
    one.wire.send(`${response}\r\n`)
    assert.is(await one.wire.line(), '535-5.7.8 Username and Password not accepted.')
    assert.is(await one.wire.line(), '535 5.7.8 See the help')
    await delay(20)
    assert.ok(provider.heard.includes(passed))
    one.wire.destroy()
  }
})

test('a refused login is told in the words of the provider and leaves no trace but a count', async () => {
  const from = await position()
  provider.answer = (line) => (line.startsWith('AUTH') ? '535 5.7.8 Sorry, no.' : undefined)
  const one = await client()
  assert.is(await one.login(nameAt(provider), 'wrong password'), '535 5.7.8 Sorry, no.')
  provider.answer = () => undefined
  assert.is(await one.command('MAIL FROM:<sender@example.com>'), '530 5.7.0 Authentication required')
  await one.quit()
  for (const [step, answer] of [
    ['', '421 4.3.2 come later'],
    ['', '554 5.7.1 go away'],
    ['EHLO', '550 5.7.1 not you'],
    ['AUTH', '454 4.7.0 in a while'],
  ] as const) {
    provider.answer = (line) => (line.split(' ')[0] === step ? answer : undefined)
    const refused = await client()
    assert.is(await refused.login(nameAt(provider), password), answer)
    refused.wire.destroy()
  }
  assert.equal(
    (await since(from)).map(({ type }) => type).filter((type) => type !== 'RefusalsCounted' && type !== 'LeaseTaken'),
    [],
  )
})

test('who writes a wrong name is told what is wrong, and nobody is dialled', async () => {
  const suspended = await gateway.createMailbox('--name', 'suspended')
  await gateway.command('mailbox', 'suspend', suspended.mailboxId, '--reason', 'test')
  for (const [name, answer] of [
    ['anna%', /^535 5\.7\.8 .*user%server%mailbox/],
    [nameAt(provider, 'nobody-here'), /^535 5\.7\.8 .*no such mailbox/],
    [nameAt(provider, suspended.mailboxId), /^4\d\d .*Mailbox is suspended/],
    [`anna%localhost:1%${mailbox.mailboxId}`, /^535 5\.7\.8 .*may not connect/],
    [`anna%smtp.example.net%${mailbox.mailboxId}`, /^535 5\.7\.8 .*may not connect/],
  ] as const) {
    const one = await client()
    assert.match(await one.login(name, password), answer)
    one.wire.destroy()
  }
  assert.equal(provider.heard, [])
})

test('no password goes to a server without TLS, or without a certificate that is valid for it', async () => {
  for (const [at, answer] of [
    [stripped, /^535 5\.7\.8 .*no TLS/],
    [wrongName, /^535 5\.7\.8 .*not valid for that name: it is for smtp\.example\.net/],
    [expired, /^535 5\.7\.8 .*has expired/],
    [unknownAuthority, /^535 5\.7\.8 .*authority that this gateway does not know/],
  ] as const) {
    const one = await client()
    assert.match(await one.login(nameAt(at), password), answer)
    one.wire.destroy()
    assert.not.match(at.heard.join('\n'), /AUTH|provider/)
  }
  for (const [answer, told] of [
    ['454 4.7.0 TLS not available', /^454 /],
    ['502 5.5.1 no such command', /^535 5\.7\.8 .*no TLS/],
    ['220 go on\r\n250-injected\r\n250 AUTH PLAIN', /^421 /],
  ] as const) {
    upgrading.heard.length = 0
    upgrading.answer = (line) => (line === 'STARTTLS' ? answer : undefined)
    const one = await client()
    assert.match(await one.login(nameAt(upgrading), password), told)
    one.wire.destroy()
    assert.not.match(upgrading.heard.join('\n'), /AUTH/)
  }
})

const begun = async (at: SmtpProvider, ...commands: readonly string[]) => {
  const one = await loggedIn(at)
  let answer = ''
  for (const command of commands) answer = await one.command(command)
  return { one, answer }
}
const [from, to] = ['MAIL FROM:<sender@example.com>', 'RCPT TO:<recipient@example.org>']

test('what the provider says to a command is the answer, word for word', async () => {
  for (const [verb, answer] of [
    ['MAIL', '550 5.7.60 SMTP; Client does not have permissions to send as this sender'],
    ['RCPT', '450 4.2.0 greylisted, 60 seconds'],
    ['DATA', '451 4.3.0 not now'],
    ['.', '554 5.7.1 spam, says somebody \xe4\xf6'],
  ] as const) {
    const start = await position()
    provider.answer = (line) => (line.split(' ')[0] === verb ? answer : undefined)
    const { one } = await begun(provider)
    let heard = ''
    for (const command of [from, to, 'DATA']) {
      heard = await one.command(command)
      if (!/^[23]/.test(heard)) break
    }
    if (verb === '.') {
      one.wire.send('Subject: x\r\n\r\ntext\r\n')
      heard = await one.command('.')
    }
    assert.is(heard, answer)
    await one.quit()
    assert.equal(fates(await since(start)), verb === '.' ? [['refused 554']] : [])
  }
})

test('after a refused DATA the provider says whether a new MAIL may come, and the new message is that one alone', async () => {
  for (const nested of ['503 5.5.1 Error: nested MAIL command', undefined]) {
    const start = await position()
    let refusals = 0
    provider.answer = (line) => (line === 'DATA' && refusals++ === 0 ? '451 4.3.0 not now' : undefined)
    const { one, answer } = await begun(provider, from, to, 'DATA')
    assert.is(answer, '451 4.3.0 not now')
    provider.answer = (line) => (line.startsWith('MAIL') ? nested : undefined)
    assert.match(await one.command('MAIL FROM:<other@example.com>'), nested === undefined ? /^250/ : nested)
    if (nested === undefined) assert.match(await one.command('RCPT TO:<another@example.org>'), /^250/)
    await one.command('DATA')
    one.wire.send('Subject: x\r\n\r\ntext\r\n')
    assert.match(await one.command('.'), /^250/)
    await one.quit()
    const [copy = ''] = await newest(1)
    const kept = nested === undefined ? ['other@example.com', 'another@example.org'] : ['sender@example.com', 'recipient@example.org'] // prettier-ignore
    const { from: reversePath, to: recipients } = opened(copy)
    assert.equal([reversePath, ...recipients], kept)
    assert.equal(fates(await since(start)), [['accepted 250']])
  }
})

test('a message that the provider refused is never in the maildrop', async () => {
  const before = await inMaildrop()
  provider.answer = (line) => (line === '.' ? '550 5.7.1 no' : undefined)
  const one = await loggedIn(provider)
  assert.is(await one.deliver('recipient@example.org', mail()), '550 5.7.1 no')
  provider.answer = () => undefined
  assert.is(await one.deliver('recipient@example.org', mail()), '250 2.0.0 Taken as 4711')
  await one.quit()
  assert.is(await inMaildrop(), before + 1)
})

test('what the provider lacks is left out where nothing is lost by it, and refused where something is', async () => {
  const one = await loggedIn(simple)
  assert.is(
    await one.command('MAIL FROM:<sender@example.com> BODY=8BITMIME'),
    '554 5.6.3 The server takes 7-bit mail only',
  )
  assert.match(await one.command('MAIL FROM:<sänder@example.com> SMTPUTF8'), /^550 5\.6\.7 /)
  await one.command('MAIL FROM:<sender@example.com> SIZE=1000 BODY=7BIT RET=HDRS ENVID=abcdef')
  await one.command('RCPT TO:<recipient@example.org> NOTIFY=NEVER ORCPT=rfc822;recipient@example.org')
  assert.equal(simple.heard.slice(-2), ['MAIL FROM:<sender@example.com>', 'RCPT TO:<recipient@example.org>'])
  await one.quit()
  const other = await loggedIn(provider)
  await other.command('mail from:<sänder@example.com> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=abcdef AUTH=<>')
  await other.command('RCPT TO:<"odd recipient"@example.org> NOTIFY=NEVER')
  assert.equal(provider.heard.slice(-2), [
    Buffer.from(
      'MAIL FROM:<sänder@example.com> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=abcdef AUTH=<>',
    ).toString('latin1'),
    'RCPT TO:<"odd recipient"@example.org> NOTIFY=NEVER',
  ])
  await other.quit()
})

/** What can go wrong at the provider once it has everything but the end of the message, or the end too. */
const afterTheEnd: readonly (readonly [string, SmtpProvider['answer'], Proxying?])[] = [
  ['is silent', (line) => (line === '.' ? silence : undefined), impatient],
  ['closes', (line, socket) => {
    if (line !== '.') return undefined
    socket.destroy()
    return silence
  }],
  ['talks nonsense', (line) => (line === '.' ? 'what a nice message' : undefined)],
  ['sends an endless line', (line, socket) => {
    if (line !== '.') return undefined
    for (let times = 0; times < 100; times++) socket.write(Buffer.alloc(10_000, '2'))
    return silence
  }],
] // prettier-ignore
for (const [what, answer, by = usual] of afterTheEnd)
  test(`a provider that ${what} after the end of a message may have it: the copy stays, and the client is told so`, async () => {
    const [start, before] = [await by.position(), await inMaildrop(by)]
    provider.answer = answer
    const one = await loggedIn(provider, by)
    const reply = await one.deliver('recipient@example.org', mail())
    assert.match(reply, /^451 4\.4\.2 .*may have been sent/)
    assert.is(await one.command('NOOP'), '421 4.4.2 The connection to the server was lost, try again later')
    await one.wire.closed()
    assert.equal(fates(await by.since(start)), [['unknown -']])
    assert.is(await inMaildrop(by), before + 1)
    assert.is(provider.mails.length, 1)
  })

const beforeTheEnd: readonly (readonly [string, string, SmtpProvider['answer'], Proxying?])[] = [
  ['MAIL', 'silence', () => silence, impatient],
  ['RCPT', 'a close', (_, socket) => { socket.destroy(); return silence }],
  ['DATA', 'nonsense', () => 'yes, please'],
  ['DATA', 'another code', () => '250 2.0.0 there is nothing to say'],
] // prettier-ignore
for (const [verb, what, answer, by = usual] of beforeTheEnd)
  test(`${what} of the provider upon ${verb} is told with 421, and nothing is sent or kept`, async () => {
    const start = await by.position()
    provider.answer = (line, socket) => (line.startsWith(verb) ? answer(line, socket) : undefined)
    const one = await loggedIn(provider, by)
    assert.match(await one.deliver('recipient@example.org', mail()), /^421 4\.4\.2 /)
    await one.wire.closed()
    assert.equal(fates(await by.since(start)), [])
    assert.equal(provider.mails, [])
  })

test('a provider that closes or refuses in the midst of a message gets no end of it, and nothing is kept', async () => {
  for (const [said, expected] of [
    ['', /^421 4\.4\.2 /],
    ['552 5.3.4 Enough of it\r\n', /^552 5\.3\.4 Enough of it/],
  ] as const) {
    const start = await position()
    const { one } = await begun(provider, from, to)
    provider.answer = (line, socket) => {
      if (line !== 'DATA') return undefined
      setTimeout(() => socket.end(said), 50)
      return undefined
    }
    await one.command('DATA')
    one.wire.send('Subject: x\r\n\r\n')
    await provider.idle()
    one.wire.send('more\r\n')
    assert.match(await one.command('.'), expected)
    one.wire.destroy()
    assert.equal(fates(await since(start)), [])
    assert.equal(provider.mails, [])
  }
})

test('a client that vanishes before the end of its message leaves nothing at the provider and nothing in the archive', async () => {
  const start = await position()
  for (const commands of [[], [from], [from, to], [from, to, 'DATA']]) {
    const { one } = await begun(provider, ...commands)
    if (commands.includes('DATA')) one.wire.send('Subject: x\r\n\r\nhalf of it\r\n')
    await delay(50)
    one.wire.destroy()
  }
  assert.equal(fates(await since(start)), [])
  await provider.idle()
  assert.equal(provider.mails, [])
})

test('a client that vanishes after the end of its message does not change what became of it', async () => {
  const start = await position()
  provider.answer = (line, socket) => {
    if (line !== '.') return undefined
    setTimeout(() => socket.write('250 2.0.0 at last\r\n'), 300)
    return silence
  }
  const { one } = await begun(provider, from, to, 'DATA')
  one.wire.send('Subject: x\r\n\r\ntext\r\n.\r\n')
  await until(() => provider.mails.length > 0)
  one.wire.destroy()
  assert.equal(fates(await since(start)), [['accepted 250']])
})

test('a message that is larger than the gateway takes is refused, and its end is never sent', async () => {
  const start = await position()
  const one = await loggedIn(provider)
  assert.match(await one.command('MAIL FROM:<sender@example.com> SIZE=9000000'), /^552 5\.3\.4 /)
  for (const command of [from, to, 'DATA']) await one.command(command)
  one.wire.send(Buffer.alloc(9_000_000, `${'x'.repeat(70)}\r\n`))
  assert.match(await one.command('\r\n.'), /^552 5\.3\.4 /)
  assert.match(await one.command(from), /^421 4\.4\.2 /)
  await one.wire.closed()
  assert.equal(fates(await since(start)), [])
  assert.equal(provider.mails, [])
})

test('a large message passes whole, in bounded memory of either side', async () => {
  const content = Buffer.from(`Subject: large\r\n\r\n${`${'y'.repeat(74)}\r\n.dots too\r\n`.repeat(70_000)}`)
  const one = await loggedIn(provider)
  assert.is(await one.deliver('recipient@example.org', content), '250 2.0.0 Taken as 4711')
  await one.quit()
  assert.ok(provider.mails[0]?.octets.equals(content))
  assert.ok(Buffer.from(opened((await newest(1))[0] ?? '').content, 'latin1').equals(content))
})

test('commands that are sent ahead are asked one at a time, and a message in many pieces is one', async () => {
  const one = await loggedIn(provider)
  provider.heard.length = 0
  one.wire.send(`${from}\r\n${to}\r\nDATA\r\n`)
  for (const answer of [
    '250-2.1.0 Sender',
    '250 2.1.0 taken',
    '250 2.1.5 Recipient taken',
    '354 Go on, end with a dot',
  ])
    assert.is(await one.wire.line(), answer)
  one.wire.send('Subject: x\r\n\r\ntext\r\n.\r\nRSET\r\nNOOP\r\nVRFY somebody\r\nQUIT\r\n')
  for (const answer of ['250 2.0.0 Taken as 4711', '250 2.0.0 Fine', '250 2.0.0 Fine'])
    assert.is(await one.wire.line(), answer)
  assert.match(await one.wire.line(), /^252 /)
  assert.match(await one.wire.line(), /^221 /)
  await one.wire.closed()
  await provider.idle()
  assert.equal(
    provider.heard.map((line) => line.slice(0, 4)),
    ['MAIL', 'RCPT', 'DATA', 'RSET', 'NOOP', 'QUIT'],
  )
})

test('a provider that goes between two transactions is told with the next command', async () => {
  const one = await loggedIn(provider)
  provider.answer = (line, socket) => {
    if (line === 'NOOP') setTimeout(() => socket.end('421 4.4.2 idle for too long\r\n'), 20)
    return undefined
  }
  await one.command('NOOP')
  await provider.idle()
  assert.is(await one.command(from), '421 4.4.2 The connection to the server was lost, try again later')
  await one.wire.closed()
})

test('a chunk, which is not offered here, ends the connection: its octets are never taken for commands', async () => {
  const wire = await openWire(gateway.ports.submission)
  await wire.line()
  wire.send('EHLO client.example\r\nBDAT 20 LAST\r\nNOOP\r\nNOOP\r\nQUIT\r\n')
  await wire.until('502 5.5.1 ')
  assert.match((await wire.until('\r\n421 4.7.0 ')).toString(), /^Command not implemented\r\n421/)
  assert.match(await wire.line(), /^Where that chunk ends is not known/)
  await wire.closed()
})

smallDiskTest(
  test,
  24,
  'on a full disk the provider gets no end of a message, the client 452, and room makes it go on',
  async (disk) => {
    const data = join(disk, 'data')
    mkdirSync(data)
    const env = { SEALPOST_LIMITS_DISK_RESERVE: '0' }
    const small = await startProxyGateway(authority, [provider.port], { data, env })
    const { mailboxId } = await small.createMailbox('--name', 'full')
    const connected = async () => {
      const one = await smtpClient(small.ports.submissions, { tls: true, ...nowhereSeen() })
      await one.login(nameAt(provider, mailboxId), password)
      return one
    }
    const ballast = join(disk, 'ballast')
    const { bavail, bsize } = statfsSync(disk)
    writeFileSync(ballast, Buffer.alloc(bavail * bsize - (2 << 20)))
    const one = await connected()
    const large = Buffer.alloc(6_000_000, `${'x'.repeat(70)}\r\n`)
    assert.match(await one.deliver('recipient@example.org', large), /^452 4\.3\.1 /, small.output())
    assert.match(await one.command(from), /^421 4\.4\.2 /)
    await one.wire.closed()
    await provider.idle()
    assert.equal(provider.mails, [])
    rmSync(ballast)
    const again = await connected()
    assert.is(await again.deliver('recipient@example.org', mail()), '250 2.0.0 Taken as 4711')
    await again.quit()
    assert.is(await small.stop(), 0)
    const events = await logIn(data)
    assert.equal(fates(events), [['accepted 250']])
  },
)

test('a gateway that stops while the provider is silent about a message records that it does not know', async () => {
  const away = await startProxyGateway(authority, [provider.port])
  const { mailboxId } = await away.createMailbox('--name', 'stopping')
  const one = await smtpClient(away.ports.submissions, { tls: true })
  await one.login(nameAt(provider, mailboxId), password)
  for (const command of [from, to, 'DATA']) await one.command(command)
  one.wire.send('Subject: half\r\n\r\n')
  provider.answer = (line) => (line === '.' ? silence : undefined)
  const stopped = away.stop()
  one.wire.send('text\r\n.\r\n')
  assert.is(await stopped, 0)
  assert.equal(fates(await logIn(away.data)), [['unknown -']])
  away.remove()
})

test.run()
