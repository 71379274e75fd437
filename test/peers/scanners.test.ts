import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { environment } from '../../ops/scratchGateway.ts'
import { peerTest } from '../support/peers.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { logIn, startTestGateway } from '../support/testGateway.ts'
import { outputOf, scratchFiles } from './program.ts'

// What those who look for weak servers find: programs of Debian's, against the listeners of a gateway whose proxy is on.

const test = suite('scanners')
const files = scratchFiles()
const authority = await testAuthority()
const { key, cert } = await authority.issue({ names: ['gateway.test', '127.0.0.1'] })
const gateway = await startTestGateway({
  env: {
    SEALPOST_TLS_MODE: 'files',
    SEALPOST_TLS_CERT_FILE: files.write('cert.pem', cert),
    SEALPOST_TLS_KEY_FILE: files.write('key.pem', key),
    SEALPOST_PROXY_TARGETS: 'pop.example.net',
  },
})
const { ports } = gateway
test.after(() => {
  gateway.remove()
  files.remove()
})

const listeners = {
  'smtp, STARTTLS': { port: ports.smtp, options: ['--starttls-smtp'] },
  smtps: { port: ports.smtps, options: [] },
  'submission, STARTTLS': { port: ports.submission, options: ['--starttls-smtp'] },
  submissions: { port: ports.submissions, options: [] },
  'pop3, STLS': { port: ports.pop3, options: ['--starttls-pop3'] },
  pop3s: { port: ports.pop3s, options: [] },
  admin: { port: ports.admin, options: [] },
} as const

/** The attributes of each element of that name, in an XML document that sslscan wrote. */
const elements = (xml: string, name: string) =>
  [...xml.matchAll(new RegExp(`<${name}\\s([^>]*)>`, 'g'))].map(
    ([, attributes = '']): Readonly<Record<string, string>> =>
      Object.fromEntries(
        [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]),
      ),
  )

const scan = async (port: number, options: readonly string[]) => {
  const xml = await outputOf('sslscan', [
    '--xml=-',
    '--no-colour',
    '--show-certificate',
    ...options,
    `127.0.0.1:${port}`,
  ])
  return xml.toString()
}

for (const [name, { port, options }] of Object.entries(listeners))
  peerTest(test, ['sslscan'], `sslscan finds nothing weak at ${name}`, async () => {
    const xml = await scan(port, options)
    const versions = elements(xml, 'protocol').map(({ type, version, enabled }) => `${type} ${version} ${enabled}`)
    assert.equal(versions.toSorted(), ['ssl 2 0', 'ssl 3 0', 'tls 1.0 0', 'tls 1.1 0', 'tls 1.2 1', 'tls 1.3 1'])
    const ciphers = elements(xml, 'cipher')
    for (const sslversion of ['TLSv1.2', 'TLSv1.3'])
      assert.ok(ciphers.filter((cipher) => cipher['sslversion'] === sslversion).length >= 3, sslversion)
    for (const { cipher = '', strength, bits } of ciphers) {
      // Of TLS 1.3, whose suites are all authenticated and forward secret, it calls none more than that.
      assert.is(strength, cipher.startsWith('TLS_') ? 'acceptable' : 'strong', cipher)
      assert.ok(Number(bits) >= 128, cipher)
      assert.match(cipher, /^(TLS_|ECDHE-).*(GCM|POLY1305)/)
    }
    // Says nothing of compression where its own library has none.
    assert.not.match(xml, /<compression supported="1"/)
    // Refused altogether, or the secure kind.
    for (const { supported, secure } of elements(xml, 'renegotiation')) assert.ok(supported === '0' || secure === '1')
    assert.not.match(xml, /<fallback supported="0"/)
    const leaks = elements(xml, 'heartbleed')
    assert.ok(leaks.length > 0)
    for (const { vulnerable, sslversion } of leaks) assert.is(vulnerable, '0', sslversion)
    assert.ok(elements(xml, 'group').some((group) => group['name'] === 'x25519'))
    assert.match(xml, /<signature-algorithm>ecdsa-with-SHA256</)
    assert.match(xml, /<pk error="false" type="EC" curve_name="prime256v1" bits="128"/)
  })

for (const [name, port] of Object.entries({ smtp: ports.smtp, submission: ports.submission }))
  peerTest(test, ['nmap'], `nmap finds no open relay at ${name}`, async () => {
    const forced = '+smtp-open-relay' // also where the port is none of SMTP's own
    const options = ['-n', '-Pn', '-sT', '-p', String(port), '--script', forced]
    const found = (await outputOf('nmap', [...options, '127.0.0.1'])).toString()
    assert.match(found, /smtp-open-relay: .*(all tests failed|[Aa]uthentication (is )?(needed|required))/)
    assert.not.match(found, /is an open relay/)
  })

const guessingTime = 61_000 // milliseconds

/** The tries that hydra says it made within the time. */
const guesses = async (address: string, port: number, options: readonly string[], target: string): Promise<number> => {
  const wrong = files.write(
    `wrong-${port}`,
    Array.from({ length: 3000 }, (_, index) => `wrong ${port} ${index}`).join('\n'),
  )
  const args = ['-I', '-V', '-l', address, '-P', wrong, '-s', String(port), '-t', '4', ...options, target]
  const child = spawn('hydra', args, {
    cwd: files.dir,
    env: environment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // Its helpers too, which would hold its output open.
  const timer = setTimeout(() => child.pid && process.kill(-child.pid, 'SIGKILL'), guessingTime)
  const ended = new Promise((resolve) => child.once('close', resolve))
  const [said] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  clearTimeout(timer)
  return said.match(/\[(RE-)?ATTEMPT\]/g)?.length ?? 0
}

peerTest(
  test,
  ['hydra'],
  'hydra has fewer than ten tries a minute from one address, by TLS and STLS together',
  async () => {
    const { address, mailboxId } = await gateway.createMailbox('--name', 'guessed')
    const made = await Promise.all([
      guesses(address, ports.pop3s, ['-S'], 'pop3://127.0.0.1'),
      guesses(address, ports.pop3, [], `pop3://127.0.0.1:${ports.pop3}/TLS`),
    ])
    for (const count of made) assert.ok(count >= 8, `it tried ${made.join(' and ')} times`)
    const verified = (await logIn(gateway.data))
      .filter(({ type, data }) => type === 'LoginRefused' && 'mailboxId' in data && data.mailboxId === mailboxId)
      .map(({ metadata }) => Date.parse(metadata.at))
    assert.ok(verified.length > 0, 'some were verified')
    const since = verified.map((at) => at - (verified[0] ?? 0))
    const inOneMinute = since.filter((at) => at < 60_000).length
    assert.ok(inOneMinute < 10, `at ${since.join(', ')} ms, of ${made.join(' and ')}`)
  },
)

test('what the scanners left behind is in order', async () => {
  assert.is(await gateway.stop(), 0)
})

test.run()
