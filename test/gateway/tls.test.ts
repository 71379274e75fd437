import { mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { shownToOpenssl } from '../support/openssl.ts'
import { peerTest } from '../support/peers.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { logIn, startTestGateway } from '../support/testGateway.ts'
import { until } from '../support/until.ts'

const test = suite('certificates by name')
const data = mkdtempSync(join(tmpdir(), 'sealpost-'))
const authority = await testAuthority()
const names = [['gateway.test'], ['other.test', '*.wild.test', 'xn--mller-kva.test']] as const
type Pair = Awaited<ReturnType<typeof authority.issue>>
const pairs: readonly Pair[] = await Promise.all(names.map((some) => authority.issue({ names: some })))
/** As certbot does it: one file after the other, each renamed into its place. */
const put = ({ cert, key }: Pair, index: number) => {
  for (const [name, content] of [[`${index}.key`, key], [`${index}.pem`, cert]] as const) {
    writeFileSync(join(data, `${name}.new`), content)
    renameSync(join(data, `${name}.new`), join(data, name))
  }
} // prettier-ignore
pairs.forEach(put)
writeFileSync(
  join(data, 'sealpost.toml'),
  '[tls]\nmode = "files"\ncertFile = ["0.pem", "1.pem"]\nkeyFile = ["0.key", "1.key"]\n[proxy]\ntargets = ["pop.example.net"]\n',
)
const gateway = await startTestGateway({ data })
test.after(async () => {
  await gateway.stop()
  gateway.remove()
})

const { ports } = gateway
const listeners = [
  { port: ports.smtp, starttls: 'smtp' },
  { port: ports.smtps },
  { port: ports.submission, starttls: 'smtp' },
  { port: ports.submissions },
  { port: ports.pop3, starttls: 'pop3' },
  { port: ports.pop3s },
  { port: ports.admin },
] as const
const indexOf = (pem: string, among: readonly Pair[] = pairs) => among.findIndex(({ cert }) => cert.startsWith(pem))
const shownFor = async (name?: string) =>
  Promise.all(listeners.map(async (listener) => indexOf(await shownToOpenssl({ ...listener, ...(name !== undefined && { name }) })))) // prettier-ignore
const all = (index: number) => listeners.map(() => index)

peerTest(test, ['openssl'], 'every listener shows the certificate for the name that a peer asks for', async () => {
  assert.equal(await shownFor('gateway.test'), all(0))
  assert.equal(await shownFor('other.test'), all(1))
  assert.equal(await shownFor('A.wild.test'), all(1))
  // An international name comes as it is in the certificate (RFC 6066 §3).
  assert.equal(await shownFor('xn--mller-kva.test'), all(1))
})

peerTest(test, ['openssl'], 'who asks for no name, or one that no certificate is for, is shown the first', async () => {
  assert.equal(await shownFor(), all(0))
  assert.equal(await shownFor('unknown.test'), all(0))
  assert.equal(await shownFor('a.b.wild.test'), all(0))
})

test('each certificate is recorded', async () => {
  const installed = (await logIn(data)).filter((event) => event.type === 'CertificateInstalled')
  assert.equal(
    installed.map((event) => event.data.names),
    names,
  )
})

peerTest(
  test,
  ['openssl'],
  'files that have changed are shown without a signal, and running sessions go on',
  async () => {
    const sender = await smtpClient(ports.smtps, { tls: true })
    await sender.command('EHLO client.example')
    const renewed = await authority.issue({ names: names[1] })
    put(renewed, 1)
    const now = [...pairs.slice(0, 1), renewed]
    const shown = async () => indexOf(await shownToOpenssl({ port: ports.pop3s, name: 'other.test' }), now)
    await until(async () => (await shown()) === 1, gateway.output)
    for (const listener of listeners)
      assert.is(indexOf(await shownToOpenssl({ ...listener, name: 'other.test' }), now), 1)
    assert.match(await sender.command('NOOP'), /^250/)
    await sender.quit()
    assert.not.match(gateway.output(), '"level":"error"')
    assert.is((await logIn(data)).filter(({ type }) => type === 'CertificateInstalled').length, 3)
  },
)

test.run()
