import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CreatedMailbox } from '../../ops/scratchGateway.ts'
import { peerTest } from '../support/peers.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { messagesOf, onTheWire, withoutTrace } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { collecting } from './collecting.ts'
import { inUnixLines, sorted } from './ordinaryMails.ts'
import { outputOf, scratchFiles } from './program.ts'

// What ops/docs/pop3.md says of the wire, and of what each program itself makes of it.

const test = suite('mail collectors and awkward mail')
const gateway = await startTestGateway()
const files = scratchFiles()
const certificate = join(gateway.data, 'admin.crt')
const programs = collecting(gateway, files)
const { pop3s } = gateway.ports

test.after(async () => {
  await gateway.stop()
  gateway.remove()
  files.remove()
})

const mail = (name: string, body: string, subject = name) =>
  Buffer.concat([
    Buffer.from(`From: a@example.com\r\nTo: b@example.net\r\nDate: Tue, 03 Jun 2025 10:00:00 +0000\r\n`),
    Buffer.from(`Message-ID: <${name}@example.com>\r\nSubject: ${subject}\r\n\r\n`),
    Buffer.from(body, 'latin1'),
  ])

const bareCr = mail('cr', 'one\rtwo\r\r\nthree\r\n')
const empty = Buffer.alloc(0)
const longLine = mail('long', `${'x'.repeat(10_000_000)}\r\n`)
/** No program changes these, but for the line ends of its files. */
const unchanged: readonly Buffer[] = [
  mail('lf', 'one\ntwo\n\nthree\r\n'),
  mail('dots', '.\r\n..\r\n.one\r\n.\r\n'),
  mail('lf-dots', 'one\n.\ntwo\n.two\n..\n.\r\n'),
  mail('eight-bit', 'Gr\xfc\xdfe \xff\xfe\x80\r\n'),
  mail('utf8', 'text\r\n', 'Grüße, 日本語'),
  mail('no-end', 'the end is open'),
  mail('nul', 'a\0b\0\0c\r\n\0\r\n'),
]
const awkward: readonly Buffer[] = [...unchanged, bareCr, empty, longLine]

const filled = async (name: string, mails: readonly Buffer[] = awkward): Promise<CreatedMailbox> => {
  const mailbox = await gateway.createMailbox('--name', name)
  const sender = await smtpClient(gateway.ports.smtp)
  for (const bytes of mails) assert.match(await sender.deliverInChunks(mailbox.address, bytes), /^250 /)
  await sender.quit()
  return mailbox
}

const unixTrace = /^Return-Path: [^\n]*\nDelivered-To: [^\n]*\nReceived: [^\n]*(?:\n[ \t][^\n]*)*\n/
/** Of a file in Unix lines. */
const withoutUnixTrace = (file: Buffer) => {
  const trace = unixTrace.exec(file.toString('latin1', 0, 2000))
  if (!trace) throw new Error(`no trace prefix: ${file.toString('latin1', 0, 500)}`)
  return file.subarray(trace[0].length)
}
/** Some end the header of a mail that is nothing else with an empty line. */
const emptyLine = Buffer.from('\n')

/** The mails are these, in any order. */
const areTheseIn = (got: readonly Buffer[], wanted: readonly Buffer[]) => {
  assert.is(got.length, wanted.length)
  const mails = sorted(got)
  for (const [index, bytes] of sorted(wanted).entries())
    if (mails[index]?.equals(bytes) !== true) assert.is(String(mails[index]).slice(0, 500), String(bytes).slice(0, 500))
}
const byRule = awkward.map(onTheWire)

const holds = async ({ mailboxId, password }: CreatedMailbox, stat: string) => {
  const archive = await pop3Client(pop3s)
  assert.ok((await archive.login(mailboxId, password)).startsWith('+OK'))
  assert.match(await archive.command('STAT'), new RegExp(`^\\+OK ${stat}`))
  await archive.quit()
}

peerTest(test, ['curl'], 'curl gets what the rule says, octet for octet', async () => {
  const { mailboxId, password } = await filled('curl')
  const config = `silent\nshow-error\nssl-reqd\nmax-time = 100\ncacert = "${certificate}"\nuser = "${mailboxId}:${password}"\n`
  const dir = files.makeDir('curl')
  const urls = `pop3s://127.0.0.1:${pop3s}/[1-${awkward.length}]`
  await outputOf('curl', ['--config', files.write('curlrc', config), urls, '--output', join(dir, '#1')])
  areTheseIn(files.contents('curl').map(withoutTrace), byRule)
})

peerTest(test, ['mpop'], 'mpop gets what the rule says, in the lines of its files', async () => {
  const mailbox = await filled('mpop')
  const written = await programs.mpop(mailbox, 'off', pop3s)
  areTheseIn(written.map(withoutUnixTrace), byRule.map(inUnixLines))
  await holds(mailbox, '0 0')
})

const perlScript = `
use Mail::POP3Client; use IO::Socket::SSL;
my ($certificate, $port, $user, $directory) = @ARGV;
my $password = <STDIN>;
my $socket = IO::Socket::SSL->new(PeerAddr => 'localhost', PeerPort => $port, SSL_ca_file => $certificate) or die $!;
my $client = Mail::POP3Client->new();
$client->User($user); $client->Pass($password); $client->Socket($socket);
$client->Connect() or die $client->Message();
for my $number (1 .. $client->Count()) {
  open(my $file, '>:raw', "$directory/$number") or die $!;
  $client->RetrieveToFile($file, $number); close $file; $client->Delete($number);
}
$client->Close();
`
const perlModules = ['Mail::POP3Client', 'IO::Socket::SSL']

peerTest(test, perlModules, "Perl's Mail::POP3Client gets what the rule says, octet for octet", async () => {
  const mailbox = await filled('perl')
  const args = ['-e', perlScript, certificate, String(pop3s), mailbox.mailboxId, files.makeDir('perl')]
  await outputOf('perl', args, { input: mailbox.password })
  areTheseIn(files.contents('perl').map(withoutTrace), byRule)
  await holds(mailbox, '0 0')
})

peerTest(
  test,
  ['fetchmail'],
  'fetchmail gets what the rule says, and itself drops a bare CR and breaks lines of more than 8 KiB',
  async () => {
    const mailbox = await filled('fetchmail')
    const written = await programs.fetchmail(mailbox, 'POP3S', `service ${pop3s}`, 'ssl')
    const isLong = ({ length }: Buffer) => length > 1_000_000
    const withoutCr = inUnixLines(mail('cr', 'onetwo\r\nthree\r\n'))
    const fetched = written.filter((file) => !isLong(file)).map(withoutUnixTrace)
    areTheseIn(fetched, [...unchanged.map(onTheWire).map(inUnixLines), withoutCr, emptyLine])
    const [, body = ''] = written.find(isLong)?.toString('latin1').split('\n\n') ?? []
    assert.is(body.replaceAll(/[^x]/g, '').length, 10_000_000)
    assert.ok(body.includes('\0'), 'with octets in between that nobody sent')
    await holds(mailbox, '0 0')
  },
)

peerTest(
  test,
  ['getmail'],
  'getmail gets what the rule says, itself ends a line at a bare CR, and refuses lines of more than 1 MiB: such a mail stays, and nothing is lost',
  async () => {
    const short = awkward.filter((bytes) => bytes !== longLine)
    const mailbox = await filled('getmail', short)
    const madeBy = new Map<Buffer, Buffer>([
      [empty, emptyLine],
      [bareCr, inUnixLines(mail('cr', 'one\r\ntwo\r\nthree\r\n'))],
    ])
    const written = await programs.getmail(mailbox)
    areTheseIn(
      written.map(withoutUnixTrace),
      short.map((bytes) => madeBy.get(bytes) ?? inUnixLines(onTheWire(bytes))),
    )
    await holds(mailbox, '0 0')
    const stuck = await filled('getmail and a long line', [longLine])
    const refused = await programs.getmail(stuck, 'getmail-long').catch(String)
    assert.match(String(refused), 'line too long')
    await holds(stuck, '1 ')
  },
)

const poplibScript = (limit: string) => `
import poplib, ssl, sys
certificate, port, user, directory = sys.argv[1:]
${limit}
client = poplib.POP3_SSL('localhost', int(port), context=ssl.create_default_context(cafile=certificate), timeout=100)
assert client.capa()['UTF8'] == ['USER']
client.utf8()
client.user(user)
client.pass_(sys.stdin.read())
for number in range(1, client.stat()[0] + 1):
    _, lines, _ = client.retr(number)
    with open(directory + '/' + str(number), 'wb') as file:
        file.write(b''.join(line + b'\\r\\n' for line in lines))
    client.dele(number)
client.quit()
`
const poplib = async ({ mailboxId, password }: CreatedMailbox, name: string, limit = '') => {
  const args = ['-c', poplibScript(limit), certificate, String(pop3s), mailboxId, files.makeDir(name)]
  await outputOf('python3', args, { input: password })
  return files.contents(name)
}

peerTest(
  test,
  ['python3'],
  "Python's poplib gets what the rule says in UTF-8 mode, once its limit of 2048 octets a line is raised",
  async () => {
    const mailbox = await filled('poplib')
    assert.match(await poplib(mailbox, 'poplib-limited').then(() => '', String), 'line too long')
    await holds(mailbox, String(awkward.length))
    const written = await poplib(mailbox, 'poplib', 'poplib._MAXLINE = 1 << 30')
    areTheseIn(written.map(withoutTrace), byRule)
    await holds(mailbox, '0 0')
  },
)

peerTest(
  test,
  ['python3'],
  'a user name in UTF-8 opens the mailbox, however it was composed, by USER and by SASL',
  async () => {
    const alias = 'jürgen@münchen.example'
    const { password, ...mailbox } = await gateway.createMailbox('--name', 'international', '--alias', alias)
    assert.equal(await poplib({ ...mailbox, mailboxId: alias, password }, 'international'), [])
    const archive = await pop3Client(pop3s)
    const response = Buffer.from(`\0${alias.normalize('NFD')}\0${password}`).toString('base64')
    assert.match(await archive.command(`AUTH PLAIN ${response}`), /^\+OK 0 messages/)
    await archive.quit()
  },
)

test('what POP3 carries is what the vault holds by the rule, and as many octets as LIST says', async () => {
  const mailbox = await filled('rule')
  const archive = await pop3Client(pop3s)
  await archive.login(mailbox.mailboxId, mailbox.password)
  const sizes = (await archive.list('LIST')).toString().trim().split('\r\n')
  const passwordFile = files.write('password', mailbox.password)
  for (const [index, { messageId, size, wireSize }] of (await messagesOf(gateway, mailbox.mailboxId)).entries()) {
    const exact = await gateway.commandBytes('open', messageId, '--password-file', passwordFile)
    assert.ok(withoutTrace(exact).equals(awkward[index] ?? empty))
    assert.is(exact.length, size)
    const wire = await archive.retrieve(index + 1)
    assert.ok(wire.equals(onTheWire(exact)))
    assert.is(wire.length, wireSize)
    assert.is(sizes[index], `${index + 1} ${wireSize}`)
  }
  await archive.quit()
})

test.run()
