import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { createServer } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts } from '../../ops/scratchGateway.ts'
import { commandLine } from '../../src/commands/commandLine.ts'
import type { Cause } from '../../src/core/events.ts'
import { newSessionId } from '../../src/core/ids.ts'
import { startAdmin } from '../../src/http/admin.ts'
import { certificate } from '../../src/tls/selfSigned.ts'
import { commandHere } from '../support/commandHere.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { until } from '../support/until.ts'
import { doubles, mailboxId } from './httpDoubles.ts'

const test = suite('http remote commandLine')
const world = doubles()
world.mailboxExists(mailboxId, 'Finance')
const authority = await testAuthority()
const issued = await authority.issue({ names: ['localhost'] })
const ofAuthority = await startAdmin({ api: world.api, host: '127.0.0.1', port: 0, certificate: issued })
const clock = { now: () => new Date() }
const own = await certificate({ keys: memoryKeys().keys, domain: 'archive.example.com', clock, addresses: [] })
const selfSigned = await startAdmin({ api: world.api, host: '127.0.0.1', port: 0, certificate: own })
const { tokens } = world.api.access
const cause: Cause = { principal: 'local:test', correlationId: newSessionId(), causationId: newSessionId() }
const wish = { name: 'elsewhere', role: 'admin', mailboxes: null, expiresAfter: undefined } as const
const { secret: token, tokenId } = await tokens.issue(wish, cause)

const directory = mkdtempSync(join(tmpdir(), 'sealpost-'))
const fileOf = (name: string, text: string) => {
  writeFileSync(join(directory, name), text)
  return name
}
const tokenFile = fileOf('token', `${token.reveal()}\n`)
const ca = fileOf('ca.pem', authority.cert)
const portOf = ({ address }: { readonly address: { readonly port: number } | undefined }) => address?.port ?? 0
const trusted = ['--url', `https://localhost:${portOf(ofAuthority)}/v1`, '--ca', ca]
const pinned = ['--url', `https://127.0.0.1:${portOf(selfSigned)}`, '--fingerprint', own.fingerprint]

test.after(async () => {
  await Promise.all([ofAuthority.close(), selfSigned.close()])
  world.close()
  rmSync(directory, { recursive: true })
})

const into = (texts: string[]) =>
  new Writable({
    write: (chunk: Buffer, _, done) => {
      texts.push(chunk.toString())
      done()
    },
  })

const run = (words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  commandHere(words, { cwd: directory, env })

const mailboxes = ['mailbox', 'list', '--json']
const withToken = ['--token-file', tokenFile]

test('a gateway elsewhere is asked with a token, by its name under an authority or by the fingerprint that it prints', async () => {
  for (const where of [trusted, pinned, [...pinned.slice(0, 3), own.fingerprint.replaceAll(':', '').toLowerCase()]]) {
    const { code, stdout, stderr } = await run([...mailboxes, ...where, ...withToken])
    assert.is(code, 0, stderr)
    assert.match(stdout, mailboxId)
  }
})

test('the environment says the same, an option goes before it, and what is empty says nothing', async () => {
  const env = {
    SEALPOST_URL: `https://localhost:${portOf(ofAuthority)}`,
    SEALPOST_CA: ca,
    SEALPOST_TOKEN: token.reveal(),
    SEALPOST_FINGERPRINT: '',
  }
  assert.is((await run(mailboxes, env)).code, 0)
  assert.match(
    (await run([...mailboxes, '--url', 'https://localhost:1'], env)).stderr,
    /Nobody answers at https:\/\/localhost:1 \(ECONNREFUSED\)/,
  )
  assert.match((await run(['config'], { ...env, SEALPOST_GATEWAY_DATA: directory })).stdout, '[gateway]')
})

test('changes are made in the name of the token, not of the local user', async () => {
  world.reset()
  world.mailboxExists(mailboxId, 'Finance')
  await run(['mailbox', 'suspend', mailboxId, '--reason', 'audit', ...trusted, ...withToken])
  assert.match(JSON.stringify(world.calls), `token:${tokenId}`)
})

test('nobody whose certificate is not verified is sent a single octet of a request', async () => {
  let octets = 0
  const thief = createServer({ ...(await authority.issue({ names: ['thief.example'] })) }, (socket) =>
    socket.on('data', (chunk) => (octets += chunk.length)),
  ).on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => thief.listen(0, '127.0.0.1', resolve))
  const { port } = thief.address() as AddressInfo
  const url = ['--url', `https://localhost:${port}`]
  const refusals = [
    [[...url, '--ca', ca], /is not trusted: .*localhost/],
    [url, /is not trusted: .*Give --ca .*or --fingerprint/],
    [[...url, ...pinned.slice(2)], /has another certificate than the one of --fingerprint/],
  ] as const
  for (const [where, said] of refusals) {
    const { code, stderr } = await run([...mailboxes, ...where, ...withToken])
    assert.is(code, 1)
    assert.match(stderr, said)
  }
  await new Promise((resolve) => thief.close(resolve))
  assert.is(octets, 0)
})

test('a token that is refused, or is none, is said so and not repeated', async () => {
  const other = fileOf('other', 'sealpost_0123')
  assert.match((await run([...mailboxes, ...trusted, '--token-file', other])).stderr, /does not take the token: /)
  const several = await run([...mailboxes, ...trusted, '--token-file', fileOf('several', 'one two')])
  assert.is(several.stderr, 'sealpost: What was given as the token is none\n')
})

test('what cannot be meant is refused before anybody is asked', async () => {
  const secret = { SEALPOST_TOKEN: token.reveal() }
  const misuses: readonly (readonly [readonly string[], RegExp, Readonly<Record<string, string>>?])[] = [
    [['--url', 'http://localhost:1'], /--url must be https:\/\/HOST:PORT/, secret],
    [['--url', 'https://anna:secret@localhost:1'], /--url must be https:\/\/HOST:PORT and nothing more/, secret],
    [['--url', 'https://localhost:1/somewhere'], /nothing more/, secret],
    [['--url', 'https://localhost:1'], /A token is missing: --token-file or SEALPOST_TOKEN/],
    [['--url', 'https://localhost:1', '--fingerprint', 'AA:BB'], /--fingerprint must be a SHA-256/, secret],
    [['--url', 'https://localhost:1', ...pinned.slice(2), '--ca', ca], /--ca or --fingerprint, not both/, secret],
    [withToken, /--token-file is for the gateway that --url names/],
    [[], /SEALPOST_TOKEN is for the gateway that --url or SEALPOST_URL names/, secret],
  ]
  for (const [words, said, env] of misuses) {
    const { code, stderr } = await run([...mailboxes, ...words], env)
    assert.is(code, 2, stderr)
    assert.match(stderr, said)
    assert.not.match(stderr, 'secret@')
  }
  const local = [
    ['fsck', '--url', 'https://localhost:1'],
    ['events', '--data', '.', ...trusted, ...withToken],
    ['backup', 'here', ...trusted, ...withToken],
    ['events', '--follow', '--until', '2030-01-01'],
    ['events', '--follow', '--data', '.'],
  ]
  for (const words of local) assert.is((await run(words)).code, 2, words.join(' '))
})

test('events --follow goes on over a restart, misses nothing and tells nothing twice, and ends when the token is revoked', async () => {
  const { cert, key } = await authority.issue({ names: ['localhost'] })
  const { admin: port } = await freePorts()
  const start = () => startAdmin({ api: world.api, host: '127.0.0.1', port, certificate: { cert, key } })
  const first = await start()
  const { secret, tokenId: id } = await tokens.issue(wish, cause)
  const [out, err]: [string[], string[]] = [[], []]
  const [stdout, stderr] = [into(out), into(err)]
  const words = ['events', '--follow', '--type', 'MessageReceived', '--url', `https://localhost:${port}`, '--ca', ca]
  const env = { SEALPOST_TOKEN: secret.reveal() }
  const before = world.messageExists()
  const ended = commandLine(words, { stdout, stderr, cwd: directory, env })
  const told = () => out.map((line) => (JSON.parse(line) as { data: { messageId: string } }).data.messageId)
  const wait = (is: () => boolean) => until(is, () => `${out.join('')}${err.join('')}`)
  const heard = (count: number) => wait(() => told().length >= count)
  await heard(1)
  const live = world.messageExists()
  await heard(2)
  await first.close(0)
  const away = [world.messageExists(), world.messageExists()]
  await wait(() => err.join('').endsWith('Trying again.\n'))
  const second = await start()
  await heard(4)
  const after = world.messageExists()
  await heard(5)
  assert.equal(told(), [before, live, ...away, after])

  await tokens.revoke(id, cause)
  world.messageExists()
  assert.is(await ended, 1)
  assert.match(err.join(''), /does not take the token/)
  assert.is(told().length, 5)
  await second.close(0)
})

test.run()
