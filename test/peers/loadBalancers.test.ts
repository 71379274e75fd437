import { spawn } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type CreatedMailbox, freePorts } from '../../ops/scratchGateway.ts'
import { peerTest, programPath } from '../support/peers.ts'
import { startProxyGateway } from '../support/proxyGateway.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startSmtpProvider } from '../support/smtpProvider.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { logIn } from '../support/testGateway.ts'
import { openWire } from '../support/wire.ts'
import { outputOf, scratchFiles } from './program.ts'
import { listening } from '../support/dovecot.ts'

const test = suite('load balancers by HAProxy and curl')
const balancer = '127.0.0.9'
const client = '127.0.0.3'
const authority = await testAuthority()
const provider = await startSmtpProvider(await authority.issue({ names: ['localhost'] }))
const gateway = await startProxyGateway(authority, [provider.port], {
  env: { SEALPOST_GATEWAY_LOAD_BALANCERS: balancer },
})
const files = scratchFiles()

test.after(async () => {
  await provider.close()
  await gateway.stop()
  gateway.remove()
  files.remove()
})

const proxied = ['smtp', 'smtps', 'submission', 'submissions', 'pop3', 'pop3s'] as const

const nameAtProvider = ({ mailboxId }: CreatedMailbox) => `ada@example.com%localhost:${provider.port}%${mailboxId}`

/** HAProxy before every listener, in TCP mode, also asking after its health. */
const startHaproxy = async (send: 'send-proxy' | 'send-proxy-v2') => {
  const ports = await freePorts()
  const parts = proxied.map(
    (name) => `listen ${name}
  bind 127.0.0.1:${ports[name]}
  server gateway 127.0.0.1:${gateway.ports[name]} ${send} source ${balancer} check inter 100ms`,
  )
  const defaults = 'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s'
  const file = files.write('haproxy.cfg', [defaults, ...parts, ''].join('\n'))
  const child = spawn(programPath('haproxy') ?? 'haproxy', ['-db', '-f', file], { stdio: 'ignore' })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  await listening(ports.pop3s, child)
  return {
    ports,
    stop: async () => {
      child.kill('SIGTERM')
      await gone
    },
  }
}

for (const send of ['send-proxy', 'send-proxy-v2'] as const)
  peerTest(test, ['haproxy'], `behind HAProxy with ${send} every session is the client's own`, async () => {
    const { ports, stop } = await startHaproxy(send)
    const mailbox = await gateway.createMailbox('--name', send)
    const mail = Buffer.from(`Subject: by ${send}\r\n\r\n`)
    for (const way of [{ starttls: true }, { tls: true }]) {
      const sender = await smtpClient(way.tls === true ? ports.smtps : ports.smtp, { ...way, from: client })
      assert.match(await sender.deliver(mailbox.address, mail), /^250 /)
      await sender.quit()
    }
    for (const [port, way] of [
      [ports.submission, { starttls: true }],
      [ports.submissions, { tls: true }],
    ] as const) {
      const mailClient = await smtpClient(port, { ...way, from: client })
      assert.match(await mailClient.login(nameAtProvider(mailbox), 'password'), /^235 /)
      await mailClient.quit()
    }
    const archive = await pop3Client(ports.pop3s)
    assert.match(await archive.login(mailbox.mailboxId, mailbox.password), /^\+OK 2 /)
    assert.match((await archive.retrieve(1)).toString(), `([${client}])`)
    await archive.quit()
    await stop()
    const sessions = JSON.parse(await gateway.command('session', 'list', '--json')) as {
      readonly sessions: readonly { readonly protocol: string; readonly remoteAddress: string }[]
    }
    const peers = sessions.sessions.map(({ protocol, remoteAddress }) => `${protocol} ${remoteAddress}`)
    for (const protocol of ['smtp', 'smtps', 'submission', 'submissions'])
      assert.ok(peers.includes(`${protocol} ${client}`), protocol)
    assert.ok(peers.includes('pop3s 127.0.0.1'))
    assert.not.ok(peers.some((peer) => peer.endsWith(balancer)), 'health probes leave no session') // prettier-ignore
  })

peerTest(test, ['curl'], 'curl sends and collects with a header of its own', async () => {
  const mailbox = await gateway.createMailbox('--name', 'curl')
  const options = ['-sSk', '--max-time', '100', '--haproxy-protocol', '--interface', balancer]
  const mail = files.write('mail.eml', 'Subject: by curl\r\n\r\n')
  const { smtp, smtps, submission, submissions, pop3, pop3s } = gateway.ports
  for (const url of [`smtp://127.0.0.1:${smtp}`, `smtps://127.0.0.1:${smtps}`])
    await outputOf('curl', [
      ...options,
      url,
      '--mail-from',
      'a@example.com',
      '--mail-rcpt',
      mailbox.address,
      '-T',
      mail,
    ])
  const user = encodeURIComponent(nameAtProvider(mailbox))
  const sending = ['--ssl-reqd', '--mail-from', 'a@example.com', '--mail-rcpt', 'b@example.org', '-T', mail]
  for (const [scheme, port] of [
    ['smtp', submission],
    ['smtps', submissions],
  ] as const)
    await outputOf('curl', [...options, `${scheme}://${user}:password@127.0.0.1:${port}`, ...sending])
  assert.is(provider.mails.length, 2)
  const login = ['-u', `${mailbox.mailboxId}:${mailbox.password}`]
  for (const url of [`pop3s://127.0.0.1:${pop3s}/2`, `pop3://127.0.0.1:${pop3}/1`])
    assert.match((await outputOf('curl', [...options, ...login, '--ssl-reqd', url])).toString(), 'by curl')
  const without = options.filter((option) => option !== '--haproxy-protocol')
  const refused = outputOf('curl', [...without, ...login, `pop3s://127.0.0.1:${pop3s}/1`])
  assert.instance(await refused.catch((error: unknown) => error), Error)
})

test('a balancer that sends no header is counted, its health probes are not', async () => {
  const wire = await openWire(gateway.ports.smtp, { from: balancer, first: 'EHLO client.example\r\n' })
  await wire.closed()
  await gateway.stop()
  const counted = (await logIn(gateway.data)).flatMap(({ type, data }) => (type === 'RefusalsCounted' ? [data] : []))
  const kinds = counted.filter(({ source }) => source === balancer).flatMap(({ counts }) => Object.entries(counts))
  const most: Readonly<Record<string, number>> = {
    'proxy-header': 2,
    // Of dozens of probes some that a busy machine held up, so that they seemed to stay.
    'tls-handshake': 5,
  }
  assert.ok(kinds.some(([kind]) => kind === 'proxy-header'))
  assert.ok(
    kinds.every(([kind, count]) => count <= (most[kind] ?? 0)),
    JSON.stringify(kinds),
  )
})

test.run()
