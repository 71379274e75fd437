import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CreatedMailbox } from '../../ops/scratchGateway.ts'
import { isRoot, type MailProvider, startDovecot } from '../support/dovecot.ts'
import { startMailutils } from '../support/mailutils.ts'
import { peerTest, programPath } from '../support/peers.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { startProxyGateway } from '../support/proxyGateway.ts'
import { eventsOf } from '../support/roundTrip.ts'
import { say } from '../support/said.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { inCrlfLines, ordinaryMails } from './ordinaryMails.ts'
import { outputOf, scratchFiles } from './program.ts'

const test = suite('mail programs that read their mail at a provider')
const authority = await testAuthority()
const files = scratchFiles()
// Both change to their users' rights.
const started = async (program: string, start: (of: typeof authority) => Promise<MailProvider>) =>
  isRoot && programPath(program) !== undefined ? start(authority) : undefined
const providers = {
  dovecot: await started('dovecot', startDovecot),
  pop3d: await started('pop3d', startMailutils),
}
const gateway = await startProxyGateway(
  authority,
  Object.values(providers).map((provider) => provider?.pop3s ?? 1),
)
const certificate = join(gateway.data, 'admin.crt')
const { pop3s } = gateway.ports

test.after(async () => {
  for (const provider of Object.values(providers)) await provider?.stop()
  gateway.remove()
  files.remove()
})

/**
 * Without what Mailutils adds: a header line once it was asked for unique ids, its own notes once a message was read, and with
 * TOP an empty line.
 */
const asSent = (mail: Buffer) =>
  mail
    .toString('latin1')
    .replaceAll(/^(?:X-UIDL|X-IMAPbase|X-UID|Status): [^\r\n]*\r\n/gm, '')
    .replace(/(?:\r\n){3,}/, '\r\n\r\n')
const areOrdinary = (mails: readonly Buffer[]) => areSent(mails.map(asSent))
const areSent = (texts: readonly string[]) => assert.equal([...texts].sort(), ordinaryMails.map(asSent).sort())

const copiesOf = async ({ mailboxId, password }: CreatedMailbox) => {
  const archive = await pop3Client(pop3s)
  const count = Number(/\+OK (\d+)/.exec(await archive.login(mailboxId, password))?.[1])
  const copies: Buffer[] = []
  for (let number = 1; number <= count; number++) {
    const text = (await archive.retrieve(number)).toString('latin1')
    copies.push(Buffer.from(text.replace(/^X-Sealpost-Source: [^\r\n]*\r\n(?:\t[^\r\n]*\r\n)*/, ''), 'latin1'))
  }
  await archive.quit()
  return copies
}

type Reader = {
  /** The user name and the password that the program is configured with. */
  readonly user: string
  readonly password: string
  /** A name for its files. */
  readonly name: string
}

/** Reads and deletes every mail; gives what it has. */
const programs: Readonly<Record<string, (reader: Reader) => Promise<readonly Buffer[]>>> = {
  fetchmail: async ({ user, password, name }) => {
    const dir = files.makeDir(name)
    const config = files.write(
      `${name}.rc`,
      `set invisible\nset no syslog\npoll localhost protocol POP3 service ${pop3s}\n` +
        `  username "${user}" password "${password}" ssl sslcertck sslcertfile "${certificate}"\n` +
        `  nokeep no rewrite mda "cat > $(mktemp ${dir}/XXXXXX)"\n`,
    )
    const env = { FETCHMAILHOME: files.makeDir(`${name}-home`) }
    await outputOf('fetchmail', ['--nodetach', '--pidfile', `${config}.pid`, '--fetchmailrc', config], { env })
    return files.contents(name).map(inCrlfLines)
  },
  mpop: async ({ user, password, name }) => {
    const maildir = files.makeDir(name)
    for (const folder of ['cur', 'new', 'tmp']) files.makeDir(`${name}/${folder}`)
    const config = files.write(
      `${name}.rc`,
      `account default\nhost localhost\nport ${pop3s}\nuser ${user}\npassword "${password}"\n` +
        `tls on\ntls_starttls off\ntls_trust_file ${certificate}\nkeep off\nreceived_header off\n` +
        `delivery maildir ${maildir}\nuidls_file ${join(files.dir, `${name}-uidls`)}\n`,
    )
    await outputOf('mpop', ['-C', config])
    return files.contents(`${name}/new`).map(inCrlfLines)
  },
  curl: async ({ user, password, name }) => {
    const config = files.write(
      `${name}.rc`,
      `silent\nshow-error\nssl-reqd\nmax-time = 100\ncacert = "${certificate}"\n`,
    )
    const curl = (...args: readonly string[]) => outputOf('curl', ['--config', config, ...args])
    const server = `pop3s://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${pop3s}`
    await curl(`${server}/[1-${ordinaryMails.length}]`, '--output', join(files.makeDir(name), '#1'))
    // Each of these has a session of its own, in which what is left begins with 1.
    for (let left = ordinaryMails.length; left > 0; left--) await curl(`${server}/1`, '--request', 'DELE', '--head')
    return files.contents(name)
  },
  python3: async ({ user, password, name }) => {
    const args = ['-c', poplibScript, certificate, String(pop3s), user, files.makeDir(name)]
    await outputOf('python3', args, { input: password })
    return files.contents(name)
  },
}

const poplibScript = `
import poplib, ssl, sys
certificate, port, user, directory = sys.argv[1:]
context = ssl.create_default_context(cafile=certificate)
client = poplib.POP3_SSL('localhost', int(port), context=context, timeout=100)
client.user(user)
client.pass_(sys.stdin.read())
count, size = client.stat()
assert len(client.uidl()[1]) == count and len(client.list()[1]) == count
for number in range(1, count + 1):
    headers = client.top(number, 0)[1]
    _, lines, _ = client.retr(number)
    assert headers == lines[:len(headers)] and headers[-1] == b''
    client.dele(number)
    with open(directory + '/' + str(number), 'wb') as file:
        file.write(b''.join(line + b'\\r\\n' for line in lines))
client.quit()
`

for (const [server, provider] of Object.entries(providers))
  for (const [program, read] of Object.entries(programs))
    peerTest(
      test,
      [server, program],
      `${program} reads and deletes every mail at ${server}, and each is kept once`,
      async () => {
        if (!provider) throw new Error(`${server} runs for root only`)
        const mailbox = await gateway.createMailbox('--name', `${server} ${program}`)
        const user = `${program}@example.com`
        provider.fill(user, ordinaryMails)
        const name = `${user}%localhost:${provider.pop3s}%${mailbox.mailboxId}`
        say(name, provider.password)
        areOrdinary(await read({ user: name, password: provider.password, name: `${program}-${server}` }))
        assert.is(provider.left(user), 0)
        const copies = await copiesOf(mailbox)
        // Mailutils writes notes into a message that was read: on a later connection it is another one.
        if (server === 'dovecot') areOrdinary(copies)
        else areSent([...new Set(copies.map(asSent))])
        const received = (await eventsOf(gateway, '--type', 'MessageReceived')).map(({ data }) => data)
        for (const data of received.filter(({ mailboxId }) => mailboxId === mailbox.mailboxId))
          assert.equal([data['source'], data['target']], ['pop3-proxy', `localhost:${provider.pop3s}`])
      },
    )

test('every session of all the reading is consistent with its record, and fsck finds all that the log says to be so', async () => {
  assert.is(await gateway.stop(), 0)
  const report = JSON.parse(await gateway.command('fsck', '--json')) as Readonly<Record<string, unknown>>
  assert.equal([report['problems'], report['leftovers'], report['removed']], [[], [], 0])
})

test.run()
