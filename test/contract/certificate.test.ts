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
import { certificate, certificateName, keyName } from '../../src/tls/selfSigned.ts'

const memoryKeys = () => {
  const values = new Map<string, Uint8Array>()
  const keys: KeyStore = {
    put: (name, value) => Promise.resolve(void values.set(name, value)),
    get: (name) => Promise.resolve(values.get(name)),
    remove: (name) => Promise.resolve(void values.delete(name)),
    list: (prefix) => Promise.resolve([...values.keys()].filter((name) => name.startsWith(prefix)).sort()),
  }
  return { values, keys }
}

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
  assert.equal([...values.keys()], [keyName, certificateName])
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

test('a key that does not fit its certificate brings a new pair, as after a stop between the two writes', async () => {
  const { values, keys } = memoryKeys()
  const other = memoryKeys()
  await certificate(wish(keys))
  await certificate(wish(other.keys))
  values.set(keyName, other.values.get(keyName) ?? new Uint8Array())
  assert.is((await certificate(wish(keys))).created, true)
  assert.is((await certificate(wish(keys))).created, false)
})

for (const name of [keyName, certificateName])
  test(`a damaged ${name} brings a new pair`, async () => {
    const { values, keys } = memoryKeys()
    await certificate(wish(keys))
    values.set(name, Buffer.from('damaged'))
    assert.is((await certificate(wish(keys))).created, true)
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
