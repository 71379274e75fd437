import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { pop3Client } from '../support/pop3Client.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { logIn, startTestGateway } from '../support/testGateway.ts'
import { until } from '../support/until.ts'
import { openWire } from '../support/wire.ts'

const test = suite('reload')
const day = 86_400_000
const data = mkdtempSync(join(tmpdir(), 'sealpost-'))
const authority = await testAuthority()
const issue = (days = 90) =>
  authority.issue({
    names: ['gateway.test'],
    notAfter: new Date(Date.now() + days * day),
    notBefore: new Date(Date.now() - 400 * day),
  })
type Pair = Awaited<ReturnType<typeof issue>>
const put = ({ cert, key }: Pair) => {
  writeFileSync(join(data, 'cert.pem'), cert)
  writeFileSync(join(data, 'key.pem'), key)
}
const files = '[tls]\nmode = "files"\ncertFile = "cert.pem"\nkeyFile = "key.pem"\n'
const configure = (toml: string) => writeFileSync(join(data, 'sealpost.toml'), toml)

const pairs = [await issue(), await issue(60)] as const
put(pairs[0])
configure(files)
const start = () => startTestGateway({ data })
let gateway = await start()
test.after(async () => {
  await gateway.stop()
  gateway.remove()
})
const mailbox = await gateway.createMailbox('--name', 'Journal')

/** What the gateway writes about one reading of its configuration, to the end of a line. */
const reload = async (last = /configuration (?:was|could not be) read again.*\n/) => {
  const from = gateway.output().length
  const said = () => gateway.output().slice(from)
  gateway.process.kill('SIGHUP')
  await until(() => last.test(said()), () => `the reload is told of:\n${said()}`) // prettier-ignore
  return said()
}

const shownAt = async (port: number) => {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  return shown(socket)
}
const shown = (socket: TLSSocket) => {
  const pem = socket.getPeerX509Certificate()?.toString()
  socket.destroy()
  return pairs.findIndex(({ cert }) => cert.trim().startsWith(pem?.trim() ?? '-'))
}
const shownAfterStartTls = async () => {
  const plain = connectPlain(gateway.ports.smtp, '127.0.0.1')
  const heard = async (end: RegExp) => {
    for (let said = ''; !end.test(said);) said += String((await once(plain, 'data'))[0])
  }
  await heard(/^220 .*\r\n/)
  plain.write('EHLO client.example\r\n')
  await heard(/^250 .*\r\n$/m)
  plain.write('STARTTLS\r\n')
  await heard(/^220 .*\r\n/)
  const socket = connect({ socket: plain, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  return shown(socket)
}
const allShown = async () =>
  Promise.all([shownAfterStartTls(), ...[gateway.ports.smtps, gateway.ports.pop3s, gateway.ports.admin].map(shownAt)])

const certificateCheck = async () => {
  const asked = request({ host: '127.0.0.1', port: gateway.ports.admin, path: '/readyz', rejectUnauthorized: false, agent: false }).end() // prettier-ignore
  const [response] = (await once(asked, 'response')) as unknown as readonly [IncomingMessage]
  const { checks } = JSON.parse(await text(response)) as { checks: readonly { name: string; detail: string }[] }
  return checks.find(({ name }) => name === 'certificate')?.detail
}
const dated = (days: number) => new Date(Date.now() + days * day).toISOString().slice(0, 10)

const typesIn = async () => (await logIn(data)).map(({ type }) => type)
const countOf = async (type: string) => (await typesIn()).filter((one) => one === type).length
const sizeAnnounced = async () => {
  const wire = await openWire(gateway.ports.smtps, { tls: true })
  wire.send('EHLO client.example\r\n')
  const [, size] = /SIZE (\d+)/.exec(String(await wire.until('250 ENHANCEDSTATUSCODES\r\n'))) ?? []
  wire.destroy()
  return Number(size)
}

test('the certificate of an authority is served from its files, and recorded once', async () => {
  assert.equal(await allShown(), [0, 0, 0, 0])
  assert.is(await certificateCheck(), `it is valid until ${dated(90)}`)
  assert.is(await countOf('CertificateInstalled'), 1)
  await gateway.stop()
  gateway = await start()
  assert.is(await countOf('CertificateInstalled'), 1)
})

test('SIGHUP brings a renewed certificate and new limits to new connections, and leaves the sessions that run alone', async () => {
  const sender = await smtpClient(gateway.ports.smtps, { tls: true })
  await sender.command('EHLO client.example')
  await sender.command('MAIL FROM:<sender@example.com>')
  const archive = await pop3Client(gateway.ports.pop3s, { tls: true })
  assert.match(await archive.login(mailbox.mailboxId, mailbox.password), /^\+OK/)

  put(pairs[1])
  configure(`[limits]\nmessageSize = "1MiB"\nsmtpSessions = 900\n${files}`)
  const said = await reload()
  assert.match(said, '"changed":["limits.messageSize","limits.smtpSessions"],"newCertificate":true')
  assert.equal(await allShown(), [1, 1, 1, 1])
  assert.is(await certificateCheck(), `it is valid until ${dated(60)}`)
  assert.is(await sizeAnnounced(), 2 ** 20)
  assert.match(await gateway.command('mailbox', 'list'), mailbox.mailboxId)

  assert.match(await sender.command(`RCPT TO:<${mailbox.address}>`), /^250/)
  assert.match(await sender.command('DATA'), /^354/)
  sender.wire.send('Subject: through it\r\n\r\ntext\r\n')
  assert.match(await sender.command('.'), /^250/)
  await sender.quit()
  assert.match(await archive.command('STAT'), /^\+OK 0/)
  await archive.quit()
  const types = await typesIn()
  assert.equal(types.filter((type) => ['CertificateInstalled', 'GatewayReconfigured'].includes(type)), [
    'CertificateInstalled', 'GatewayReconfigured', 'CertificateInstalled',
  ]) // prettier-ignore
})

test('a configuration or certificate that is broken changes nothing, and the log says why', async () => {
  const before = await typesIn()
  const good = `[limits]\nmessageSize = "2MiB"\n${files}`
  for (const [toml, pair, why] of [
    ['[limits]\nmessageSize = "much"\n', pairs[1], /limits\.messageSize must be/],
    ['[limits\n', pairs[1], /line 1/],
    [good, { cert: pairs[0].cert, key: pairs[1].key }, /is not that of the certificate/],
    [good, { cert: 'nothing', key: pairs[1].key }, /is no certificate/],
    [good, { cert: pairs[1].cert, key: 'nothing' }, /is no key/],
    [good, await issue(-1), /has expired/],
    [good.replace('"cert.pem"', '"missing.pem"'), pairs[1], /missing\.pem: cannot be read/],
    [`${good}[smtp]\nclientCaFile = "missing.pem"\n`, pairs[1], /smtp\.clientCaFile \S+missing\.pem cannot be read/],
    [`${good}[smtp]\nrequires = ["certificate"]\n`, pairs[1], /needs smtp\.clientCaFile/],
  ] as const) {
    configure(toml)
    put(pair)
    const said = await reload()
    assert.match(said, 'nothing has changed')
    assert.match(said, why)
  }
  assert.equal(await allShown(), [1, 1, 1, 1])
  assert.is(await sizeAnnounced(), 2 ** 20)
  assert.equal((await typesIn()).filter((type) => type.startsWith('Gateway') || type.startsWith('Cert')), before.filter((type) => type.startsWith('Gateway') || type.startsWith('Cert'))) // prettier-ignore
})

test('what is asked of senders, and who vouches for them, holds for connections from then on', async () => {
  writeFileSync(join(data, 'senders.pem'), authority.cert)
  const issued = await authority.issue({ names: ['mail.sender.test'], usage: 'client' })
  const sent = async (client = {}) => {
    const sender = await smtpClient(gateway.ports.smtps, {
      tls: true,
      client: { servername: 'gateway.test', ...client },
    })
    const answer = await sender.deliver(mailbox.address, Buffer.from('Subject: x\r\n\r\nx\r\n'))
    await sender.quit()
    return answer.slice(0, 3)
  }
  assert.equal([await sent(), await sent(issued)], ['250', '250'])
  configure(`${files}[smtp]\nclientCaFile = "senders.pem"\nrequires = ["certificate"]\nrefusal = "permanent"\n`)
  put(pairs[1])
  await reload()
  assert.equal([await sent(), await sent(issued)], ['530', '250'])
  configure(`${files}[smtp]\nclientCaFile = "senders.pem"\nnetworks = ["192.0.2.0/24"]\n`)
  await reload()
  assert.equal([await sent(), await sent(issued)], ['450', '450'])
  configure(files)
  await reload()
  assert.equal([await sent(), await sent(issued)], ['250', '250'])
})

test('what needs a restart is told by name, and the rest is taken', async () => {
  put(pairs[1])
  configure(
    `[limits]\nmessageSize = "3MiB"\n[retention]\ngrace = "1d"\n[proxy]\ntargets = ["pop.example.net"]\n${files}`,
  )
  const said = await reload(/needs a restart.*\n/)
  assert.match(said, '"settings":["proxy.targets","retention.grace"]')
  assert.is(await sizeAnnounced(), 3 * 2 ** 20)
})

test('the level of the log follows', async () => {
  configure(`[gateway]\nlogLevel = "error"\n${files}`)
  await reload()
  gateway.process.kill('SIGHUP')
  await delay(300)
  configure('[limits\n')
  const said = await reload()
  assert.not.match(said, '"level":"info"')
  assert.match(said, '"level":"error"')
})

test.run()
