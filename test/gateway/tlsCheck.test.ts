import { mkdtempSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts, scratchEnv } from '../../ops/scratchGateway.ts'
import { loadConfig } from '../../src/config.ts'
import { policyRecord } from '../../src/tls/mtaSts.ts'
import type { Report } from '../../src/tlsCheck/check.ts'
import { commandHere } from '../support/commandHere.ts'
import { startDnsmasq } from '../support/dnsmasq.ts'
import { peerTest } from '../support/peers.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { startTestGateway } from '../support/testGateway.ts'

const test = suite('tls check')
const data = mkdtempSync(join(tmpdir(), 'sealpost-'))
const authority = await testAuthority()
const { key, cert } = await authority.issue({ names: ['gateway.test', 'mx1.gateway.test', 'mta-sts.gateway.test'] })
for (const [name, content] of Object.entries({ 'cert.pem': cert, 'key.pem': key, 'ca.pem': authority.cert }))
  writeFileSync(join(data, name), content)
const { admin: policyPort } = await freePorts()
const policy = `[mtaSts]\nhost = "127.0.0.1"\nport = ${policyPort}\nmode = "enforce"\nmx = ["mx1.gateway.test"]\n`
writeFileSync(
  join(data, 'sealpost.toml'),
  `[gateway]\ndomain = "gateway.test"\n[tls]\nmode = "files"\ncertFile = "cert.pem"\nkeyFile = "key.pem"\n${policy}`,
)
const gateway = await startTestGateway({ data })
test.after(async () => {
  await gateway.stop()
  gateway.remove()
})
const record = policyRecord(loadConfig({ cwd: data, env: {} }))
const good = ['--mx-host=gateway.test,mx1.gateway.test,10', `--txt-record=_mta-sts.gateway.test,${record}`]
const names = async (...records: readonly string[]) => startDnsmasq(...records)

const run = (...words: readonly string[]) =>
  commandHere(['tls', 'check', ...words], { cwd: data, env: scratchEnv(data, gateway.ports) })

const checked = async (dns: string, ...args: readonly string[]) => {
  const { code, stdout, stderr } = await run('--json', '--dns', dns, ...args)
  assert.is(stderr, '')
  return { code, report: JSON.parse(stdout) as Report }
}

peerTest(
  test,
  ['dnsmasq'],
  'a peer that insists is served at every listener: chain, names, MX and policy are right',
  async () => {
    const server = await names(...good)
    const { code, report } = await checked(server.address, '--ca', join(data, 'ca.pem'))
    assert.equal([code, report.ok, report.notes], [0, true, []])
    assert.equal(report.looks.map(({ protocol }) => protocol), ['smtp', 'smtps', 'pop3', 'pop3s', 'mta-sts']) // prettier-ignore
    assert.equal(report.looks.map(({ name }) => name), ['mx1.gateway.test', 'mx1.gateway.test', 'gateway.test', 'gateway.test', 'mta-sts.gateway.test']) // prettier-ignore
    for (const { seen } of report.looks) {
      assert.ok(seen)
      assert.is(seen.protocol, 'TLSv1.3')
      assert.equal(seen.names, ['gateway.test', 'mx1.gateway.test', 'mta-sts.gateway.test'])
      assert.match(seen.chain.at(-1)?.issuer ?? '', /Test authority/)
    }
    const text = (await run('--dns', server.address, '--ca', join(data, 'ca.pem'))).stdout
    assert.match(text, /^ {2}TLS +TLSv1\.3, TLS_/m)
    assert.match(text, /insist on a verified certificate are served/)
    await server.stop()
  },
)

peerTest(
  test,
  ['dnsmasq'],
  'it fails with the reason when nobody publicly trusted vouches, or the MX has another name',
  async () => {
    const server = await names(...good)
    const unknown = await checked(server.address, '--port', String(gateway.ports.pop3s))
    assert.equal([unknown.code, unknown.report.looks.length], [1, 1])
    assert.match(unknown.report.looks[0]?.problems.join() ?? '', /nobody knows that authority|not publicly trusted/)
    await server.stop()

    const other = await names('--mx-host=gateway.test,mail.gateway.test,10', good[1] ?? '')
    const { code, report } = await checked(other.address, '--ca', join(data, 'ca.pem'))
    assert.is(code, 1)
    assert.equal(report.looks.find(({ protocol }) => protocol === 'smtp')?.problems, ['the certificate is not for mail.gateway.test']) // prettier-ignore
    assert.equal(report.policy?.problems, ['the policy does not name mail.gateway.test'])
    await other.stop()
  },
)

peerTest(
  test,
  ['dnsmasq'],
  'of several MX hosts another may be another machine; a record that is missing or old is told',
  async () => {
    const server = await names(...good.slice(0, 1), '--mx-host=gateway.test,mx2.gateway.test,20')
    const several = await checked(server.address, '--ca', join(data, 'ca.pem'), '--port', String(gateway.ports.smtp))
    assert.is(several.code, 0)
    assert.match(several.report.notes.join('\n'), /As mx2\.gateway\.test, port \d+: .*not for mx2/)
    const missing = await checked(server.address, '--ca', join(data, 'ca.pem'), '--name', 'mx1.gateway.test')
    assert.match(missing.report.notes.join('\n'), /Nobody asks for the policy until _mta-sts\.gateway\.test has the TXT record "v=STSv1; id=/) // prettier-ignore
    await server.stop()
    const old = await names(...good.slice(0, 1), '--txt-record=_mta-sts.gateway.test,v=STSv1; id=20200101;')
    assert.match((await checked(old.address, '--ca', join(data, 'ca.pem'))).report.notes.join(), /has another id/)
    await old.stop()
  },
)

test('a server that offers no TLS, or does not answer, is told from one that is wrong', async () => {
  const server = createServer((socket) => socket.resume().end('220 mail.example.com\r\n250 mail.example.com\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // a TCP listener's address is never a string
  const dns = '127.0.0.1:1'
  const clear = await checked(dns, '--host', '127.0.0.1', '--port', `smtp:${port}`)
  assert.match(clear.report.looks[0]?.problems.join() ?? '', /there is no TLS: it /)
  await new Promise((resolve) => server.close(resolve))
  const nobody = await checked(dns, '--host', '127.0.0.1', '--port', `smtps:${port}`)
  assert.match(nobody.report.looks[0]?.problems.join() ?? '', /there is no TLS: .*ECONNREFUSED/)
  assert.equal([clear.code, nobody.code], [1, 1])
  assert.match(nobody.report.notes.join(), /could not be asked for/)
  assert.is((await run('--port', '1234')).code, 2)
})

test.run()
