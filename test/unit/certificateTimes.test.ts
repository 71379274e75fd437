import { X509Certificate } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { certificateOf } from '../../src/tls/certificate.ts'
import { testCertificate } from '../wire/testCertificate.ts'

/** UTCTime of thirteen octets (X.690 §11.8). */
const utcTime = Buffer.of(0x17, 13)

test('a certificate that does not say when it is valid is none', async () => {
  const { key, cert } = await testCertificate()
  const der = Buffer.from(new X509Certificate(cert).raw)
  assert.ok(certificateOf({ key, cert }).notAfter > new Date())
  const until = der.lastIndexOf(utcTime)
  assert.ok(until > 0)
  der.write('x', until + utcTime.length + 2, 'latin1')
  const broken = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`
  assert.throws(() => certificateOf({ key, cert: broken }))
})

test.run()
