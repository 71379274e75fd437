import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { KeyStore } from '../../src/core/ports.ts'
import { certificate } from '../../src/tls/selfSigned.ts'
import { memoryKeys } from '../support/memoryKeys.ts'

const at = (time: string) => ({ now: () => new Date(time) })
const today = at(new Date().toISOString())
const wish = (keys: KeyStore, clock = today, domain = 'archive.example.com') => ({
  keys,
  clock,
  domain,
  addresses: ['192.0.2.7', '2001:db8::7', 'fe80::1', '127.0.0.1'],
})

test('a first certificate names the domain, localhost, the loopback and the machine, each once', async () => {
  const { names, created } = await certificate(wish(memoryKeys().keys))
  assert.equal(names, ['archive.example.com', 'localhost', '127.0.0.1', '::1', '192.0.2.7', '2001:db8::7'])
  assert.is(created, true)
})

test('a certificate lies in the key store and is found again by the next start', async () => {
  const { values, keys } = memoryKeys()
  const first = await certificate(wish(keys))
  const second = await certificate(wish(keys))
  assert.equal([...values.keys()], ['tls/self-signed-1.pem'])
  assert.equal(second, { ...first, created: false })
})

test('the fingerprint is the SHA-256 of the certificate, in octets with colons', async () => {
  const { fingerprint, cert } = await certificate(wish(memoryKeys().keys))
  assert.is(fingerprint, new X509Certificate(cert).fingerprint256)
  assert.match(fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
})

test('a certificate is valid for ten years from the clock that was given', async () => {
  const { notAfter } = await certificate(wish(memoryKeys().keys, at('2030-01-01T00:00:00.000Z')))
  assert.is(notAfter.toISOString(), '2040-01-01T00:00:00.000Z')
})

test('a certificate is kept until 30 days before it expires, then renewed', async () => {
  const { keys } = memoryKeys()
  await certificate(wish(keys, at('2030-01-01T00:00:00.000Z')))
  assert.is((await certificate(wish(keys, at('2039-12-01T00:00:00.000Z')))).created, false)
  assert.is((await certificate(wish(keys, at('2039-12-03T00:00:00.000Z')))).created, true)
})

test('a changed domain brings a new certificate, a changed address does not', async () => {
  const { keys } = memoryKeys()
  await certificate(wish(keys))
  assert.is((await certificate({ ...wish(keys), addresses: [] })).created, false)
  assert.is((await certificate(wish(keys, today, 'mail.example.com'))).created, true)
})

const name = 'tls/self-signed-1.pem'
const without = (what: string) => (pem: string) =>
  pem.replace(new RegExp(`-----BEGIN ${what}-----[^]*?-----END ${what}-----\n`), '')

for (const [what, damage] of [
  ['that is no PEM', () => 'damaged'],
  ['without its key', without('PRIVATE KEY')],
  ['without its certificate', without('CERTIFICATE')],
] as const)
  test(`a file ${what} is left, and a new pair made`, async () => {
    const { values, keys } = memoryKeys()
    await certificate(wish(keys))
    values.set(name, Buffer.from(damage(Buffer.from(values.get(name) ?? []).toString())))
    assert.is((await certificate(wish(keys))).created, true)
    assert.is((await certificate(wish(keys))).created, false)
  })

test('a key that does not fit its certificate brings a new pair', async () => {
  const [here, other] = [memoryKeys(), memoryKeys()]
  const [mine, others] = [await certificate(wish(here.keys)), await certificate(wish(other.keys))]
  here.values.set(name, Buffer.from(others.key + mine.cert))
  assert.is((await certificate(wish(here.keys))).created, true)
})

test('gateways that share the key store and start at once agree on one certificate', async () => {
  const { keys } = memoryKeys()
  const all = await Promise.all([1, 2, 3].map(() => certificate(wish(keys))))
  assert.is(new Set(all.map(({ fingerprint }) => fingerprint)).size, 1)
  assert.is(new Set(all.map(({ key }) => key)).size, 1)
  assert.is(all.filter(({ created }) => created).length, 1)
})

test('a domain too long for a common name is still named', async () => {
  const domain = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.com`
  const { keys } = memoryKeys()
  assert.ok((await certificate(wish(keys, today, domain))).names.includes(domain))
  assert.is((await certificate(wish(keys, today, domain))).created, false)
})

test('a client that trusts the certificate completes TLS with it, by domain name and by address', async () => {
  const { key, cert } = await certificate(wish(memoryKeys().keys))
  const server = createServer({ key, cert }, (socket) => socket.end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    for (const options of [{ servername: 'archive.example.com' }, {}]) {
      const client = connect({ host: '127.0.0.1', port, ca: cert, ...options })
      await once(client, 'secureConnect')
      assert.is(client.authorized, true)
      client.destroy()
    }
  } finally {
    server.close()
  }
})

test('openssl verifies the certificate strictly', async () => {
  const { cert } = await certificate(wish(memoryKeys().keys))
  const directory = mkdtempSync(join(tmpdir(), 'sealpost-'))
  try {
    const file = join(directory, 'gateway.crt')
    writeFileSync(file, cert)
    const strictly = ['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'localhost']
    assert.match(execFileSync('openssl', [...strictly, '-CAfile', file, file], { encoding: 'utf8' }), /: OK\n$/)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test.run()
