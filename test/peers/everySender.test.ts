import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts } from '../../ops/scratchGateway.ts'
import { listening } from '../support/dovecot.ts'
import { awkwardMails } from '../support/mails.ts'
import { corpusDir, corpusMails, type Mail, peerTest, programPath } from '../support/peers.ts'
import { postfixServices, startPostfix } from '../support/postfixProvider.ts'
import { withoutTrace } from '../support/roundTrip.ts'
import { asSent, dotStuffed, smtpClient } from '../support/smtpClient.ts'
import { startSmtpTap } from '../support/smtpTap.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { vaultContents } from '../support/vaultContents.ts'
import { until } from '../support/until.ts'
import { eximConfiguration } from './exim.ts'
import { inUnixLines, ordinaryMails } from './ordinaryMails.ts'
import { outputOf, scratchFiles } from './program.ts'

// Real senders deliver every mail that they take. What left them is read off the wire, because each makes lines, headers and
// line ends of its own; the vault has to hold that, octet for octet. Without TLS, which has tests of its own.

const test = suite('every mail by every sender')
const gateway = await startTestGateway()
const files = scratchFiles()
const sender = 'ada@example.com'

const ordinary = ordinaryMails.map((bytes, index) => ({ name: `ordinary ${index}`, bytes }))
const awkward = Object.entries(awkwardMails).map(([name, bytes]) => ({ name, bytes }))
const corpus = corpusMails()
if (corpus.length === 0) console.log(`  skipped: real mails by every sender (no corpus of real mails at ${corpusDir})`)
const mails: readonly Mail[] = [...ordinary, ...awkward, ...corpus]

type Sent = {
  readonly name: string
  readonly contents: readonly Buffer[]
  readonly mailbox: { readonly mailboxId: string; readonly password: string }
}
const sent: Sent[] = []

test.after(() => {
  gateway.remove()
  files.remove()
})

const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

type Way = {
  /** Of SMTP without TLS. */
  readonly port: number
  readonly address: string
  /** Resolves when so many mails have come in. */
  arrived(count: number): Promise<void>
}

type Sender = {
  readonly name: string
  readonly programs: readonly string[]
  /** How its mails have to come. */
  readonly verb: 'DATA' | 'BDAT'
  readonly does?: string
}

/** Lets a sender deliver, and keeps what it said. `deliver` gives how many mails it took. */
const delivers = (
  { name, programs, verb, does = 'delivers every mail there is' }: Sender,
  deliver: (way: Way) => Promise<number>,
) => {
  peerTest(test, programs, `${name} ${does}`, async () => {
    const mailbox = await gateway.createMailbox('--name', name)
    const tap = await startSmtpTap(gateway.ports.smtp)
    const arrived = async (count: number) => {
      await until(() => tap.contents().length >= count)
    }
    try {
      const count = await deliver({ port: tap.port, address: mailbox.address, arrived })
      const contents = tap.contents()
      assert.is(contents.length, count)
      assert.ok(tap.commands().has(verb), `by ${verb}`)
      for (const bytes of ordinaryMails)
        assert.ok(
          contents.some((content) => content.subarray(-bytes.length).equals(bytes)),
          'an ordinary mail as it is',
        )
      sent.push({ name, contents, mailbox })
    } finally {
      await tap.close()
    }
  })
}

delivers({ name: 'swaks', programs: ['swaks'], verb: 'DATA' }, async ({ port, address }) => {
  const options = ['--server', `127.0.0.1:${port}`, '--to', address, '--from', sender, '--silent', '--suppress-data']
  for (const { bytes } of mails) {
    const data = files.write('swaks.eml', Buffer.concat([dotStuffed(bytes), Buffer.from('.\r\n')]))
    await outputOf('swaks', [...options, '--no-data-fixup', '--data', `@${data}`])
  }
  return mails.length
})

delivers({ name: 'msmtp', programs: ['msmtp'], verb: 'DATA' }, async ({ port, address }) => {
  const config = files.write(
    'msmtprc',
    `account default\nhost 127.0.0.1\nport ${port}\nfrom ${sender}\nauth off\ntls off\n`,
  )
  for (const { bytes } of mails) await outputOf('msmtp', ['-C', config, '--', address], { input: inUnixLines(bytes) })
  return mails.length
})

delivers({ name: 'Exim', programs: ['exim4'], verb: 'BDAT' }, async ({ port, address }) => {
  const transaction = ({ bytes }: Mail) => [
    Buffer.from(`MAIL FROM:<${sender}>\r\nRCPT TO:<${address}>\r\nDATA\r\n`),
    dotStuffed(bytes),
    Buffer.from('.\r\n'),
  ]
  // Batched SMTP, as from another host: Exim completes no headers of what it passes on.
  const batch = Buffer.concat([
    Buffer.from('EHLO client.example\r\n'),
    ...mails.flatMap(transaction),
    Buffer.from('QUIT\r\n'),
  ])
  const { config, input } = eximConfiguration(files, {
    port,
    main: 'acl_smtp_rcpt = accept\nacl_smtp_data = accept\nsmtp_accept_queue_per_connection = 0',
    transport: '  hosts_avoid_tls = *\n  message_linelength_limit = 2000000',
  })
  await outputOf('exim4', ['-C', config, '-oMa', '192.0.2.1', '-bS', '-odq'], { input: batch })
  const ids = readdirSync(input).filter((name) => name.endsWith('-D'))
  await outputOf('exim4', ['-C', config, '-M', ...ids.map((name) => name.slice(0, -2))])
  return mails.length
})

const crlfLines = (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1')

/**
 * Gives the mails to a server that passes them on, and gives the names of those that it refuses or breaks the connection at. One that takes
 * a bare LF for a line end would find an end of data in some.
 */
const handOver = async (port: number, address: string): Promise<readonly string[]> => {
  const refused: string[] = []
  let client = await smtpClient(port)
  for (const { name, bytes } of mails) {
    const reply = await client.deliver(address, crlfLines(bytes), sender).catch(() => undefined)
    if (reply?.startsWith('2') === true) continue
    refused.push(name)
    client.wire.destroy()
    client = await smtpClient(port)
  }
  await client.quit()
  return refused
}

delivers({ name: 'Postfix', programs: ['postfix', 'postconf'], verb: 'DATA' }, async ({ port, address, arrived }) => {
  const dir = join(files.dir, 'postfix')
  for (const name of ['etc', 'spool', 'data']) mkdirSync(join(dir, name), { recursive: true })
  for (const name of ['.', 'postfix']) chmodSync(join(files.dir, name), 0o755)
  await outputOf('chown', ['postfix', join(dir, 'data')])
  const { smtp } = await freePorts()
  files.write('postfix/etc/master.cf', `${postfixServices(smtp)}\npostlog unix-dgram n - n - 1 postlogd\n`)
  files.write(
    'postfix/etc/main.cf',
    `compatibility_level = 3.6
queue_directory = ${dir}/spool
data_directory = ${dir}/data
mail_owner = postfix
myhostname = sender.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:${port}
smtp_tls_security_level = none
smtp_line_length_limit = 0
local_header_rewrite_clients =
maillog_file = ${dir}/postfix.log
maillog_file_prefixes = ${dir}
multi_instance_enable = yes
multi_instance_name = postfix-sender
`,
  )
  for (const name of ['main.cf', 'master.cf']) chmodSync(join(dir, 'etc', name), 0o644)
  const postfix = await startPostfix(dir)
  try {
    assert.equal(await handOver(smtp, address), [])
    await outputOf('postqueue', ['-c', join(dir, 'etc'), '-f'])
    await arrived(mails.length)
    return mails.length
  } finally {
    await postfix.stop()
  }
})

/** What OpenSMTPD takes for no mail: a line of the header that is neither a field nor the rest of one, or a line beyond 64 KiB. */
const isRefused = ({ bytes }: Mail): boolean => {
  const lines = bytes.toString('latin1').split(/\r?\n/)
  if (lines.some(({ length }) => length > 64 * 1024)) return true
  const end = lines.indexOf('')
  const header = end < 0 ? lines : lines.slice(0, end)
  return header.some((line, at) => (/^[ \t]/.test(line) ? at === 0 : !line.includes(':')))
}

const openSmtpd: Sender = {
  name: 'OpenSMTPD',
  programs: ['opensmtpd', 'unshare'],
  verb: 'DATA',
  does: 'delivers every mail that it takes: all but those with a line that is no header field in the header, or beyond 64 KiB',
}

/** Its queue is at a place that is compiled into it: this one has a /var/spool of its own. */
delivers(openSmtpd, async ({ port, address, arrived }) => {
  const { smtp } = await freePorts()
  const config = files.write(
    'smtpd.conf',
    `smtp limit max-mails 10000
listen on 127.0.0.1 port ${smtp}
action "relay" relay host smtp+notls://127.0.0.1:${port}
match from any for any action "relay"
`,
  )
  const program = programPath('opensmtpd') ?? 'opensmtpd'
  const apart = 'mount -t tmpfs tmpfs /var/spool && exec "$0" -d -f "$1"'
  const server = spawn('unshare', ['--mount', 'sh', '-c', apart, program, config], { stdio: 'ignore' })
  const exited = new Promise((resolve) => server.once('exit', resolve))
  try {
    await listening(smtp, server)
    const refused = await handOver(smtp, address)
    assert.equal(
      refused,
      mails.filter(isRefused).map(({ name }) => name),
    )
    const inFixtures = refused.filter((name) => name in awkwardMails)
    assert.equal(inFixtures, ['a dot as the first octet', 'a line of one megabyte'])
    const taken = mails.length - refused.length
    await arrived(taken)
    return taken
  } finally {
    server.kill('SIGTERM')
    await exited
  }
})

const hashes = (contents: readonly Buffer[]) => contents.map(hash).sort()

test('the vault holds what was sent, octet for octet', async () => {
  await gateway.stop()
  for (const { name, contents, mailbox } of sent) {
    const stored = (await vaultContents(gateway, mailbox)).map(withoutTrace)
    assert.equal(hashes(stored), hashes(contents), name)
    // It sends what it is given, bare LFs too.
    if (name === 'swaks') assert.equal(hashes(stored), hashes(mails.map(({ bytes }) => asSent(bytes))))
  }
})

test.run()
