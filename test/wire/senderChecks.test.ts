import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dkimSign } from 'mailauth/lib/dkim/sign.js'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { SenderChecks } from '../../src/core/events.ts'
import { checkerMethods } from '../../src/senderChecks/checkerThread.ts'
import type { Peer } from '../../src/senderChecks/judge.ts'
import { type CheckerParts, openSenderChecker } from '../../src/senderChecks/senderChecks.ts'
import { startDns } from '../support/dnsServer.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { until } from '../support/until.ts'
import { address, first, startTestSmtp } from './smtpTestServer.ts'

// Over real UDP to a DNS server, through the thread that a gateway has.

const test = suite('sender checks')

/** RFC 8463 appendix A: one message with a signature of either algorithm, and what the DNS says of its keys. */
const signed = readFileSync(new URL('../vectors/dkimRfc8463.eml', import.meta.url))
const ed25519Key = 'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='
const rsaKey =
  'v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx' +
  '/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB'

const chain = Object.fromEntries(
  Array.from({ length: 15 }, (_, n) => [`${n}.chain.example TXT`, [`v=spf1 include:${n + 1}.chain.example -all`]]),
)
const lengths = generateKeyPairSync('ed25519')
const lengthsKey = lengths.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64')
const dns = await startDns({
  'l._domainkey.lengths.example TXT': [`v=DKIM1; k=ed25519; p=${lengthsKey}`],
  'brisbane._domainkey.football.example.com TXT': [ed25519Key],
  'test._domainkey.football.example.com TXT': [rsaKey],
  'test._domainkey.failing.example TXT': ['*failure*'],
  'test._domainkey.silent.example TXT': ['*silence*'],
  'football.example.com TXT': ['v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all'],
  'soft.example TXT': ['v=spf1 a mx ~all'],
  'soft.example A': ['192.0.2.9'],
  'soft.example MX': ['mx.soft.example'],
  'mx.soft.example A': ['192.0.2.10'],
  'helo.example TXT': ['v=spf1 ip4:192.0.2.1 ?all'],
  'twice.example TXT': ['v=spf1 +all', 'v=spf1 -all'],
  'void.example TXT': ['v=spf1 a:no1.example a:no2.example a:no3.example -all'],
  'failing.example TXT': ['*failure*'],
  'silent.example TXT': ['*silence*'],
  ...chain,
})
const open = (parts: Partial<CheckerParts> = {}) => {
  const logged: unknown[] = []
  const record = (...entry: unknown[]) => void logged.push(...entry)
  const logger = { info: record, warn: record, error: record }
  return { logged, ...openSenderChecker({ servers: [dns.server], wait: () => 60, logger, ...parts }) }
}
const checker = open()
const impatient = open({ wait: () => 1 })

test.after(async () => {
  await checker.close()
  await impatient.close()
  await dns.close()
})

const peer: Peer = { remoteAddress: '192.0.2.7', helloName: 'helo.example', reversePath: 'joe@football.example.com' }

async function* inPieces(octets: Buffer, size: number) {
  for (let at = 0; at < octets.length; at += size) yield Promise.resolve(octets.subarray(at, at + size))
}

/** What is found of a message; it has to come through as it is. */
const found = async (message: Buffer, who: Partial<Peer> = {}, size = 1000, by = checker): Promise<SenderChecks> => {
  const check = by.check({ ...peer, ...who })
  const heard: Uint8Array[] = []
  for await (const piece of check.heard(inPieces(message, size))) heard.push(piece)
  assert.ok(Buffer.concat(heard).equals(message))
  return check.found
}

for (const size of [1, 7, 1000])
  test(`the signatures of RFC 8463 are found to be good, in pieces of ${size}`, async () => {
    assert.equal(await found(signed, {}, size), { spf: 'pass', dkim: ['pass', 'pass'] })
  })

const variant = (from: string, to: string) => Buffer.from(signed.toString('latin1').replaceAll(from, to), 'latin1')
/** Its second signature names another domain, whose key is asked for because the body is as it was signed. */
const rsaKeyAt = (domain: string) =>
  variant('d=football.example.com; i=@football.example.com;\r\n q=dns/txt; s=test', `d=${domain}; s=test`)
const five = Buffer.from('dkim-signature : v=1\r\n'.repeat(5))
const nine = Buffer.from('DKIM-Signature: v=1\r\n'.repeat(9))

for (const [title, message, dkim] of [
  ['changed content', variant('hungry', 'angry'), ['fail', 'fail']],
  ['another author', variant('<joe@', '<eve@'), ['fail', 'fail']],
  ['a key that is not there', variant('s=test;', 's=gone;'), ['pass', 'neutral']],
  ['a key that cannot be had', rsaKeyAt('failing.example'), ['pass', 'temperror']],
  ['no signature', variant('DKIM-Signature', 'X-Signature'), []],
  ['an empty message', Buffer.alloc(0), []],
  ['a header without a body', Buffer.from('Subject: hello\r\n'), []],
  ['a signature that is none', Buffer.from('DKIM-Signature: hello\r\n\r\nworld\r\n'), ['neutral']],
  ['line ends without carriage returns', variant('\r\n', '\n'), ['pass', 'pass']],
  ['what only looks like a signature, in the body', Buffer.from('Subject: x\n\nDKIM-Signature: a\n'), []],
  ['seven signatures', Buffer.concat([five, signed]), [...Array<'neutral'>(5).fill('neutral'), 'pass', 'pass']],
  ['eleven signatures', Buffer.concat([nine, signed]), ['policy']],
  ['an endless header', Buffer.concat([Buffer.from(`X-Long: ${'x'.repeat(140_000)}\r\n`), signed]), ['policy']],
  ['a header of two thousand lines', Buffer.concat([Buffer.from('X: y\r\n'.repeat(1_900)), signed]), ['pass', 'pass']],
  ['a header of more lines than that', Buffer.concat([Buffer.from('X: y\r\n'.repeat(2_000)), signed]), ['policy']],
  [
    'a header with white space without end',
    Buffer.concat([Buffer.from(`X: ${' '.repeat(300)}y\r\n`), signed]),
    ['policy'],
  ],
  ['an endless line', Buffer.concat([signed, Buffer.alloc(600_000, 'x')]), ['policy']],
] as const)
  test(`DKIM of ${title} is ${dkim.join(' and ') || 'nothing'}`, async () => {
    assert.equal((await found(message)).dkim, dkim)
  })

for (const [title, who, spf] of [
  ['a listed address', {}, 'pass'],
  ['a listed IPv6 address', { remoteAddress: '2001:db8::1' }, 'pass'],
  ['a listed IPv4 address of a listener for both', { remoteAddress: '::ffff:192.0.2.7' }, 'pass'],
  ['an address that is not listed', { remoteAddress: '198.51.100.1' }, 'fail'],
  ['the address of the name', { reversePath: 'a@soft.example', remoteAddress: '192.0.2.9' }, 'pass'],
  ['the address of its mail server', { reversePath: 'a@soft.example', remoteAddress: '192.0.2.10' }, 'pass'],
  ['neither', { reversePath: 'a@soft.example' }, 'softfail'],
  ['a null reverse-path: that of EHLO', { reversePath: '', remoteAddress: '192.0.2.1' }, 'pass'],
  ['a null reverse-path from elsewhere', { reversePath: '' }, 'neutral'],
  ['a domain that says nothing', { reversePath: 'a@nothing.example' }, 'none'],
  ['what is no domain', { reversePath: 'root' }, 'none'],
  ['a record that is there twice', { reversePath: 'a@twice.example' }, 'permerror'],
  ['too many empty answers', { reversePath: 'a@void.example' }, 'permerror'],
  ['a DNS that fails', { reversePath: 'a@failing.example' }, 'temperror'],
] as const)
  test(`SPF of ${title} is ${spf}`, async () => {
    assert.is((await found(Buffer.from('Subject: x\r\n\r\n'), who)).spf, spf)
  })

test('a chain of records is followed for ten questions and no further', async () => {
  assert.is((await found(Buffer.from('\r\n'), { reversePath: 'a@0.chain.example' })).spf, 'permerror')
  // A question whose answer is late is asked again.
  assert.is(new Set(dns.asked.filter((question) => question.includes('.chain.example'))).size, 11)
})

test('of loopback and private addresses nobody is asked', async () => {
  const inside = { helloName: 'inside.example', reversePath: 'a@inside.example' }
  for (const remoteAddress of [
    '127.0.0.1',
    '::1',
    '10.1.2.3',
    '192.168.0.1',
    '::ffff:10.0.0.1',
    'fd00::1',
    'fe80::1%eth0',
  ])
    assert.equal(
      await found(Buffer.from('\r\nx\r\n'), { ...inside, remoteAddress }),
      { spf: 'none', dkim: [] },
      remoteAddress,
    )
  assert.equal(
    dns.asked.filter((question) => question.startsWith('inside.example')),
    [],
  )
})

test('what is added behind a signed length makes the signature one of a part', async () => {
  const message = 'From: a@lengths.example\r\nSubject: x\r\n\r\nsigned\r\n'
  const privateKey = lengths.privateKey.export({ type: 'pkcs8', format: 'pem' })
  const signer = { signingDomain: 'lengths.example', selector: 'l', privateKey }
  const { signatures } = await dkimSign(message, {
    ...signer,
    signatureData: [{ ...signer, canonicalization: 'relaxed/relaxed', maxBodyLength: 8 }],
  })
  assert.match(signatures, /\bl=\s*8\b/)
  assert.equal((await found(Buffer.from(signatures + message))).dkim, ['pass'])
  assert.equal((await found(Buffer.from(`${signatures}${message}added\r\n`))).dkim, ['policy'])
})

const silent = { reversePath: 'a@silent.example' }

test('a DNS that says nothing holds a message up for the time that is set, and no longer', async () => {
  const begun = performance.now()
  const message = rsaKeyAt('silent.example')
  // Who may be held up for longer is, until the DNS is given up.
  const patiently = found(message, silent).then(() => undefined)
  const checks = await Promise.race([found(message, silent, 1000, impatient), patiently])
  const took = performance.now() - begun
  assert.equal(checks, { spf: 'temperror', dkim: ['temperror'] })
  assert.ok(took > 900, `${took} ms`)
})

test('many messages wait for a silent DNS at the same time, not one after the other', async () => {
  const begun = performance.now()
  await Promise.all(Array.from({ length: 50 }, () => found(rsaKeyAt('silent.example'), silent, 1000, impatient)))
  const took = performance.now() - begun
  assert.ok(took < 30_000, `${took} ms`)
})

test('a large signed message is verified on its way, and is not kept', async () => {
  const chunk = Buffer.from(`${'The quick brown fox. '.repeat(3)}\r\n`.repeat(1000))
  const chunks = 700
  let most = 0
  async function* large() {
    yield signed
    for (let n = 0; n < chunks; n += 1) {
      most = Math.max(most, process.memoryUsage().arrayBuffers)
      yield await Promise.resolve(chunk)
    }
  }
  const before = process.memoryUsage().arrayBuffers
  const check = checker.check(peer)
  let octets = 0
  for await (const piece of check.heard(large())) octets += piece.length
  assert.ok(octets > 40_000_000)
  assert.equal((await check.found).dkim, ['fail', 'fail'])
  assert.ok(most - before < 24_000_000, `${most - before} octets`)
})

test('a message that breaks off leaves nothing behind, and the next one is checked', async () => {
  const check = checker.check(peer)
  async function* breaking() {
    yield await Promise.resolve(signed)
    throw new Error('the connection is lost')
  }
  const read = async () => {
    for await (const piece of check.heard(breaking())) assert.ok(piece.length > 0)
  }
  await read().then(
    () => assert.unreachable(),
    (error: unknown) => assert.match(String(error), 'the connection is lost'),
  )
  assert.equal((await check.found).dkim, ['temperror'])
  assert.equal((await found(signed)).dkim, ['pass', 'pass'])
})

test('lines without an end are held up to a bound in all; what is sent line by line is verified all the same', async () => {
  const methods = checkerMethods({ servers: [dns.server] })
  const hear = (id: number, octets: Uint8Array, last = false) =>
    methods.dkim({ id, octets, last, milliseconds: 60_000 })
  const endless = Buffer.concat([signed, Buffer.alloc(250_000, 'x')])
  const verdicts = await Promise.all(Array.from({ length: 40 }, (_, id) => hear(id, endless)))
  const kept = verdicts.filter((verdict) => verdict === undefined).length
  assert.ok(kept > 30 && kept < 36, `${kept}`)
  assert.equal(verdicts.at(-1), ['temperror'])
  assert.equal(await hear(100, signed, true), ['pass', 'pass'])
  for (let id = 0; id < kept; id += 1) methods.drop({ id })
  assert.is(await hear(101, endless), undefined)
  methods.drop({ id: 101 })
})

const program = (text: string) => new URL(`data:text/javascript,${encodeURIComponent(text)}`)
for (const [title, said, text, patience] of [
  ['dies', 'have failed', 'throw new Error("a defect")', 20],
  ['fills its memory', 'ERR_WORKER_OUT_OF_MEMORY', 'const all = []; for (;;) all.push(Array(1e4).fill(0.5))', 60],
  [
    'is stuck',
    'are stuck',
    `import { parentPort } from 'node:worker_threads'
    let heard = 0
    parentPort.on('message', ({ id }) => {
      if (heard++ > 0) for (;;);
      parentPort.postMessage({ id })
    })`,
    0.2,
  ],
] as const)
  test(`a thread that ${title} costs results and no mail, and another takes its place`, async () => {
    const failing = open({ wait: () => patience, program: program(text) })
    for (let tries = 0; tries < 2; tries += 1) {
      failing.logged.length = 0
      assert.equal(await found(signed, {}, 1000, failing), { spf: 'temperror', dkim: ['temperror'] })
      await until(() => JSON.stringify(failing.logged).includes(said))
    }
    await failing.close()
  })

test('a thread that comes up late is waited for', async () => {
  const late = program(`
    await new Promise((resolve) => setTimeout(resolve, 1000))
    await import('${import.meta.resolve('../../src/senderChecks/checkerThread.ts')}')`)
  let wait = 0
  const starting = open({ wait: () => wait, program: late })
  const foundWithin = (seconds: number) => {
    wait = seconds
    return found(signed, {}, 1000, starting)
  }
  assert.equal(await foundWithin(0.1), { spf: 'temperror', dkim: ['temperror'] })
  // On a slow machine one that is up may be late as well, and another takes its place.
  await until(async () => {
    const { spf } = await foundWithin(60)
    if (spf !== 'pass') await foundWithin(0.1)
    return spf === 'pass'
  }, 'a thread that is up')
  await starting.close()
})

const chunked = { dkim: ['pass', 'pass'], spf: 'none' }
for (const way of ['deliver', 'deliverInChunks'] as const)
  test(`what is found is recorded with a message that comes in (${way})`, async () => {
    const server = await startTestSmtp({ checkSender: checker.check })
    const client = await smtpClient(server.port)
    const reply = await client[way](address, signed)
    await client.quit()
    await server.close()
    assert.ok(reply.startsWith('250 '), reply)
    const { checks, body } = first(server.mails)
    assert.ok(body.equals(signed))
    assert.equal(checks, chunked)
  })

test('a silent DNS refuses no message', async () => {
  const server = await startTestSmtp({ checkSender: impatient.check })
  const client = await smtpClient(server.port)
  const reply = await client.deliver(address, rsaKeyAt('silent.example'))
  const tooLarge = await client.deliver(address, Buffer.concat([signed, Buffer.alloc(200_000, 'x\r\n')]))
  await client.quit()
  await server.close()
  assert.ok(reply.startsWith('250 '), reply)
  assert.ok(tooLarge.startsWith('552 '), tooLarge)
  assert.equal(first(server.mails).checks?.dkim, ['temperror'])
})

test.run()
