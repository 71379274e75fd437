import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CreatedMailbox } from '../../ops/scratchGateway.ts'
import { peerTest } from '../support/peers.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { eventsOf, withoutTrace } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { collecting } from './collecting.ts'
import { inCrlfLines, ordinaryMails, sorted } from './ordinaryMails.ts'
import { outputOf, scratchFiles } from './program.ts'
import { startTestGateway } from '../support/testGateway.ts'

const test = suite('mail collectors')
const gateway = await startTestGateway()
const files = scratchFiles()
const certificate = join(gateway.data, 'admin.crt')
const programs = collecting(gateway, files)
const { pop3, pop3s } = gateway.ports

test.after(() => {
  gateway.remove()
  files.remove()
})

/** A mailbox with every ordinary mail in it. */
const filled = async (name: string): Promise<CreatedMailbox> => {
  const mailbox = await gateway.createMailbox('--name', name)
  const sender = await smtpClient(gateway.ports.smtp, { starttls: true })
  for (const mail of ordinaryMails) assert.match(await sender.deliver(mailbox.address, mail), /^250 /)
  await sender.quit()
  return mailbox
}

const areOrdinary = (mails: readonly Buffer[]) => {
  assert.is(mails.length, ordinaryMails.length)
  for (const [index, mail] of mails.entries())
    assert.is(mail.toString('latin1'), ordinaryMails[index]?.toString('latin1'))
}

/** The files that a client wrote in Unix lines, in any order, hold the ordinary mails. */
const areOrdinaryFiles = (written: readonly Buffer[]) => {
  assert.is(written.length, ordinaryMails.length)
  const mails = sorted(written.map((file) => withoutTrace(inCrlfLines(file))))
  for (const [index, mail] of sorted(ordinaryMails).entries())
    assert.is(mails[index]?.toString('latin1'), mail.toString('latin1'))
}

/** Every message of the mailbox is recorded as handed out; gives their ids and what else is recorded of the mailbox. */
const wasRetrieved = async ({ mailboxId }: CreatedMailbox) => {
  const facts = (await eventsOf(gateway)).filter(({ data }) => data['mailboxId'] === mailboxId)
  const idsIn = (type: string) => facts.filter((fact) => fact.type === type).map(({ data }) => data['messageId'])
  const ids = idsIn('MessageReceived')
  assert.is(ids.length, ordinaryMails.length)
  assert.equal([...new Set(idsIn('MessageRetrieved'))].sort(), ids.toSorted())
  return { ids, facts }
}

/** Every message is recorded as handed out and as deleted, and the next login finds nothing. */
const wasCollected = async (mailbox: CreatedMailbox) => {
  const { ids, facts } = await wasRetrieved(mailbox)
  const deleted = facts.filter(({ type }) => type === 'MaildropUpdated').flatMap(({ data }) => data['deleted'])
  assert.equal(deleted.sort(), ids.toSorted())
  const archive = await pop3Client(pop3s)
  assert.ok((await archive.login(mailbox.mailboxId, mailbox.password)).startsWith('+OK'))
  assert.is(await archive.command('STAT'), '+OK 0 0')
  await archive.quit()
}

peerTest(test, ['curl'], 'curl lists and fetches every mail over POP3S and over STLS', async () => {
  const mailbox = await filled('curl')
  const user = `user = "${mailbox.mailboxId}:${mailbox.password}"`
  const config = files.write(
    'curlrc',
    `silent\nshow-error\nssl-reqd\nmax-time = 100\ncacert = "${certificate}"\n${user}\n`,
  )
  const curl = (...args: readonly string[]) => outputOf('curl', ['--config', config, ...args])
  const numbered = (words: readonly unknown[]) => words.map((word, at) => `${at + 1} ${String(word)}\r\n`).join('')
  const listed: string[] = []
  for (const server of [`pop3s://127.0.0.1:${pop3s}`, `pop3://localhost:${pop3}`]) {
    const dir = files.makeDir(`curl-${listed.length}`)
    await curl(`${server}/[1-${ordinaryMails.length}]`, '--output', join(dir, '#1'))
    const mails = files.contents(`curl-${listed.length}`)
    areOrdinary(mails.map(withoutTrace))
    assert.is((await curl(`${server}/`)).toString(), numbered(mails.map(({ length }) => length)))
    listed.push((await curl(`${server}/`, '--request', 'UIDL')).toString())
  }
  const { ids } = await wasRetrieved(mailbox)
  assert.equal(listed, [numbered(ids), numbered(ids)])
})

/** fetchmail's way to ask for TLS, and the port that it is spoken on. */
const fetchmailWays = [
  ['POP3S', `service ${pop3s}`, 'ssl'],
  ['STLS', `service ${pop3}`, 'sslproto TLS1.2+'],
] as const

for (const [way, service, tls] of fetchmailWays) {
  peerTest(test, ['fetchmail'], `fetchmail fetches and deletes every mail over ${way}`, async () => {
    const mailbox = await filled(`fetchmail ${way}`)
    areOrdinaryFiles(await programs.fetchmail(mailbox, way, service, tls))
    await wasCollected(mailbox)
  })
}

peerTest(test, ['mpop'], 'mpop fetches and deletes every mail over POP3S and over STLS', async () => {
  for (const [starttls, port] of [
    ['off', pop3s],
    ['on', pop3],
  ] as const) {
    const mailbox = await filled(`mpop ${starttls}`)
    areOrdinaryFiles(await programs.mpop(mailbox, starttls, port))
    await wasCollected(mailbox)
  }
})

peerTest(test, ['getmail'], 'getmail fetches and deletes every mail over POP3S', async () => {
  const mailbox = await filled('getmail')
  areOrdinaryFiles(await programs.getmail(mailbox))
  await wasCollected(mailbox)
})

const poplibScript = `
import poplib, ssl, sys
certificate, port, user, directory = sys.argv[1:]
context = ssl.create_default_context(cafile=certificate)
client = poplib.POP3_SSL('localhost', int(port), context=context, timeout=100)
assert 'UIDL' in client.capa()
client.user(user)
client.pass_(sys.stdin.read())
count, size = client.stat()
sizes = [int(entry.split()[1]) for entry in client.list()[1]]
assert len(sizes) == count and sum(sizes) == size
assert len(client.uidl()[1]) == count
for number in range(1, count + 1):
    _, lines, _ = client.retr(number)
    mail = b''.join(line + b'\\r\\n' for line in lines)
    assert len(mail) == sizes[number - 1]
    headers = client.top(number, 0)[1]
    assert headers == lines[:len(headers)] and headers[-1] == b''
    client.dele(number)
    with open(directory + '/' + str(number), 'wb') as file:
        file.write(mail)
client.quit()
`

peerTest(test, ['python3'], "Python's poplib fetches and deletes every mail over POP3S", async () => {
  const mailbox = await filled('poplib')
  const args = ['-c', poplibScript, certificate, String(pop3s), mailbox.mailboxId, files.makeDir('poplib')]
  await outputOf('python3', args, { input: mailbox.password })
  areOrdinary(files.contents('poplib').map(withoutTrace))
  await wasCollected(mailbox)
})

test('after all the collecting, fsck finds all that the log says to be so', async () => {
  assert.is(await gateway.stop(), 0)
  const report = JSON.parse(await gateway.command('fsck', '--json')) as Readonly<Record<string, unknown>>
  assert.equal([report['problems'], report['leftovers'], report['removed']], [[], [], 0])
  assert.is(report['objects'], report['messages'])
})

test.run()
