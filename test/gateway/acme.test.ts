import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts } from '../../ops/scratchGateway.ts'
import { shownToOpenssl } from '../support/openssl.ts'
import { peerTest } from '../support/peers.ts'
import { pebble } from '../support/pebble.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { logIn, startTestGateway } from '../support/testGateway.ts'
import { until } from '../support/until.ts'

const test = suite('a gateway that orders its certificate')
const authority = await pebble({ validity: 10 })
const data = mkdtempSync(join(tmpdir(), 'sealpost-'))
const { admin: policyPort } = await freePorts()
const env = {
  SEALPOST_TLS_MODE: 'acme',
  SEALPOST_ACME_TERMS: 'agreed',
  SEALPOST_ACME_HOST: '127.0.0.1',
  SEALPOST_ACME_PORT: String(authority.httpPort),
  SEALPOST_ACME_DIRECTORY: authority.directory,
  SEALPOST_ACME_CA_FILE: authority.caFile,
  SEALPOST_MTA_STS_HOST: '127.0.0.1',
  SEALPOST_MTA_STS_PORT: String(policyPort),
  SEALPOST_MTA_STS_MODE: 'enforce',
  SEALPOST_MTA_STS_MX: 'mx1.gateway.test, mx2.gateway.test',
}
const names = ['gateway.test', 'mta-sts.gateway.test']
test.after(() => authority.remove())

const installed = async () =>
  (await logIn(data)).flatMap((event) => (event.type === 'CertificateInstalled' ? [event.data] : []))

/** How many certificates of the authority have been shown, once there are so many. */
const ordered = (count: number, said: () => string) =>
  until(
    async () => {
      const found = (await installed()).filter(({ names }) => names.includes('mta-sts.gateway.test'))
      return found.length >= count && found
    },
    () => `${count} certificates are ordered:\n${said()}`,
  )

/** What curl says; a certificate holds for seconds only: who is late waits for the next. */
const fetched = async (host: string, path: string) => {
  const root = join(data, 'root.pem')
  writeFileSync(root, await authority.root())
  const resolve = `${host}:${policyPort}:127.0.0.1`
  const args = ['-sS', '-f', '-D-', '--cacert', root, '--resolve', resolve, `https://${host}:${policyPort}${path}`]
  return until(async () => {
    const said = await promisify(execFile)('curl', args).then(({ stdout }) => stdout, String)
    return !said.includes('curl: (60)') && said
  }, 'a certificate that is vouched for')
}

peerTest(
  test,
  ['pebble', 'pebble-challtestsrv', 'openssl', 'curl'],
  'its own is shown until the ordered one comes, which is renewed while sessions go on; the MTA-STS policy is served under it',
  async () => {
    await authority.start()
    const gateway = await startTestGateway({ data, env })
    const { output, ports } = gateway
    const [first] = await ordered(1, output)
    assert.equal(first?.names.toSorted(), names)
    assert.ok((await installed())[0]?.names.includes('localhost'))

    const mailbox = await gateway.createMailbox('--name', 'Journal')
    const sender = await smtpClient(ports.smtps, { tls: true })
    await sender.command('EHLO client.example')
    const before = await ordered(1, output)
    const headers = await fetched('mta-sts.gateway.test', '/.well-known/mta-sts.txt')
    assert.match(headers, /^content-type: text\/plain\r$/m)
    assert.match(
      headers,
      /\r\n\r\nversion: STSv1\r\nmode: enforce\r\nmx: mx1\.gateway\.test\r\nmx: mx2\.gateway\.test\r\nmax_age: 604800\r\n$/,
    )
    assert.match(await fetched('mta-sts.gateway.test', '/'), /404/)

    await ordered(before.length + 1, output)
    for (const port of [ports.smtps, ports.pop3s, ports.admin, policyPort]) {
      // It is recorded before it is shown.
      const shown = await until(async () => {
        const one = new X509Certificate(await shownToOpenssl({ port, name: 'mta-sts.gateway.test' }))
        return !before.some(({ fingerprint }) => fingerprint === one.fingerprint256) && one
      }, `a new certificate is shown at ${port}`)
      assert.equal(shown.subjectAltName?.split(', ').toSorted(), ['DNS:gateway.test', 'DNS:mta-sts.gateway.test'])
    }
    assert.match(await sender.deliver(mailbox.address, Buffer.from('Subject: through it\r\n\r\ntext\r\n')), /^250/)
    await sender.quit()
    assert.not.match(output(), '"level":"error"')

    await authority.stop()
    assert.is(await gateway.stop(), 0)
    const again = await startTestGateway({ data, env, ports })
    const shown = new X509Certificate(await shownToOpenssl({ port: ports.smtps }))
    assert.is(shown.fingerprint256, (await installed()).at(-1)?.fingerprint)
    assert.is(await again.stop(), 0)
    again.remove()
  },
)

test.run()
