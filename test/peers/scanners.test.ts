import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { environment } from '../../ops/scratchGateway.ts'
import { peerTest } from '../support/peers.ts'
import { logIn, startTestGateway } from '../support/testGateway.ts'
import { outputOf, scratchFiles } from './program.ts'

// What those find who look for open relays and weak passwords: programs of Debian's, against a gateway whose proxy is on.

const test = suite('scanners')
const files = scratchFiles()
const gateway = await startTestGateway({ env: { SEALPOST_PROXY_TARGETS: 'pop.example.net' } })
const { ports } = gateway
test.after(() => {
  gateway.remove()
  files.remove()
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
    // How they share what the address is allowed is theirs, but both came in, and together they wanted more.
    for (const count of made) assert.ok(count > 0, `it tried ${made.join(' and ')} times`)
    assert.ok(made.reduce((sum, count) => sum + count) > 10, `it tried ${made.join(' and ')} times`)
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
