import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { peerTest } from '../support/peers.ts'
import { belowGood, testssl } from '../support/testssl.ts'
import { keyKinds, listenerNames, startTlsGateway } from '../support/tlsGateway.ts'
import { outputOf } from './program.ts'

// What those find who look for weak TLS, at every listener of gateways whose certificates have either kind of key.

const test = suite('TLS scanners')
const gateways = {
  ECDSA: await startTlsGateway('ECDSA'),
  RSA: await startTlsGateway('RSA'),
}

/** The attributes of each element of that name, in an XML document that sslscan wrote. */
const elements = (xml: string, name: string) =>
  [...xml.matchAll(new RegExp(`<${name}\\s([^>]*)>`, 'g'))].map(
    ([, attributes = '']): Readonly<Record<string, string>> =>
      Object.fromEntries(
        [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]),
      ),
  )

const certificates = {
  ECDSA: /<pk error="false" type="EC" curve_name="prime256v1" bits="128"/,
  RSA: /<pk error="false" type="RSA" bits="2048"/,
}

for (const kind of keyKinds)
  for (const name of listenerNames)
    peerTest(test, ['sslscan'], `sslscan finds nothing weak at ${name}, with ${kind}`, async () => {
      const { port, starttls } = gateways[kind].listeners[name]
      const way = starttls ? [`--starttls-${starttls}`] : []
      const options = ['--xml=-', '--no-colour', '--show-certificate', ...way, `127.0.0.1:${port}`]
      const xml = (await outputOf('sslscan', options)).toString()
      const versions = elements(xml, 'protocol').map(({ type, version, enabled }) => `${type} ${version} ${enabled}`)
      assert.equal(versions.toSorted(), ['ssl 2 0', 'ssl 3 0', 'tls 1.0 0', 'tls 1.1 0', 'tls 1.2 1', 'tls 1.3 1'])
      const ciphers = elements(xml, 'cipher')
      for (const sslversion of ['TLSv1.2', 'TLSv1.3'])
        assert.ok(ciphers.filter((cipher) => cipher['sslversion'] === sslversion).length >= 3, sslversion)
      for (const { cipher = '', strength, bits } of ciphers) {
        // Of TLS 1.3, whose suites are all authenticated and forward secret, it calls none more than that.
        assert.is(strength, cipher.startsWith('TLS_') ? 'acceptable' : 'strong', cipher)
        assert.ok(Number(bits) >= 128, cipher)
        assert.match(cipher, new RegExp(`^(TLS_|ECDHE-${kind}-).*(GCM|POLY1305)`))
      }
      const leaks = elements(xml, 'heartbleed')
      assert.ok(leaks.length > 0)
      for (const { vulnerable, sslversion } of leaks) assert.is(vulnerable, '0', sslversion)
      assert.ok(elements(xml, 'group').some((group) => group['name'] === 'x25519'))
      assert.match(xml, /<signature-algorithm>ecdsa-with-SHA256</)
      assert.match(xml, certificates[kind])
    })

/** Of all that testssl.sh does (`npm run scan`) the attacks that have names, what sslscan cannot tell, and what is said in headers. */
const short = [
  ['ECDSA', 'admin', ['-p', '-U', '-h']],
  ['RSA', 'smtp, STARTTLS', ['-p', '-U']],
] as const

peerTest(
  test,
  ['testssl'],
  'testssl.sh finds nothing below good at the API, with ECDSA, and at smtp, with RSA',
  async () => {
    const scans = short.map(([kind, name, options]) =>
      testssl(gateways[kind], gateways[kind].listeners[name], { options, within: 600_000 }),
    )
    for (const findings of await Promise.all(scans)) {
      for (const id of ['TLS1_3', 'ROBOT', 'fallback_SCSV', 'CRIME_TLS', 'secure_client_renego'])
        assert.ok(
          findings.some((finding) => finding.id === id && finding.severity === 'OK'),
          id,
        )
      assert.equal(belowGood(findings), [])
    }
  },
)

test('what the scanners left behind is in order', async () => {
  for (const kind of keyKinds) assert.is(await gateways[kind].end(), 0)
})

test.run()
