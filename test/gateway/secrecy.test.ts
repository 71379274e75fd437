import { execFileSync, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pop3Client } from '../support/pop3Client.ts'
import { eventsOf, messagesOf } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startTestGateway } from '../support/testGateway.ts'

const words = {
  body: 'Zwiebelkuchen',
  subject: 'Quartalszahlen',
  sender: 'correspondent.sender@secret-origin.example',
  recipient: 'hidden.recipient@secret-target.example',
  client: 'ehlo-name.secret-client.example',
  user: 'typed-user-name-xyzzy',
  wrongPassword: 'mistyped-password-plugh',
}

const first = await startTestGateway()
const { data, ports } = first
const mailbox = await first.createMailbox('--name', 'secrecy')
const secrets = [...Object.values(words), mailbox.password]

/** Files of the data directory that hold a word as it is, in base64, or in UTF-16. */
const filesWith = (word: string) => {
  const encodings = [word, Buffer.from(word).toString('base64').slice(2, -4)]
  return encodings.flatMap((text) =>
    spawnSync('grep', ['-rlaiF', '--', text, data], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean),
  )
}

const small = `From: <${words.sender}>\r\nTo: <${words.recipient}>\r\nSubject: ${words.subject}\r\n\r\n${words.body}\r\n`
const large = small + `${words.body} and more\r\n`.repeat(40_000)

const speak = async () => {
  const sender = await smtpClient(ports.smtp)
  await sender.command(`EHLO ${words.client}`)
  await sender.deliver(mailbox.address, Buffer.from(small), words.sender)
  await sender.deliver(mailbox.address, Buffer.from(large), words.sender)
  await sender.deliver(words.recipient, Buffer.from(small), words.sender)
  await sender.command(`${words.body} is no command`)
  await sender.quit()
  // An address that succeeded lately is not held back by others' guesses.
  const owner = await pop3Client(ports.pop3s)
  await owner.login(mailbox.mailboxId, mailbox.password)
  await owner.quit()
  for (const [from, user] of [
    ['127.0.0.2', words.user],
    ['127.0.0.3', mailbox.mailboxId],
  ] as const) {
    const guesser = await pop3Client(ports.pop3s, { from })
    await guesser.login(user, words.wrongPassword)
    await guesser.quit()
  }
  const archive = await pop3Client(ports.pop3s)
  await archive.login(mailbox.mailboxId, mailbox.password)
  assert.ok((await archive.retrieve(1)).includes(words.body))
  assert.ok((await archive.retrieve(2)).includes(words.subject))
  await archive.command('DELE 2')
  await archive.quit()
}

test('Invariant 4, plaintext never touches a disk: no word of a mail, its envelope or a login is in the data directory while the gateway runs', async () => {
  await speak()
  for (const word of secrets) assert.equal(filesWith(word), [], word)
})

test('nothing that the gateway printed names a correspondent, a typed name or a password', () => {
  for (const word of secrets) assert.not.ok(first.output().includes(word), word)
})

test('Invariant 5, the log holds no content, no secret and no correspondent', async () => {
  const log = JSON.stringify(await eventsOf(first))
  for (const word of secrets) assert.not.ok(log.includes(word), word)
  assert.ok(log.includes('MessageRetrieved') && log.includes('LoginRefused'))
})

test('Invariant 4 holds after the gateway has stopped', async () => {
  assert.is(await first.stop(), 0)
  for (const word of secrets) assert.equal(filesWith(word), [], word)
})

test('Invariant 7, views are disposable: without views.db the next start gives the same answers', async () => {
  const answers = async () => {
    const gateway = await startTestGateway({ data, ports })
    const archive = await pop3Client(ports.pop3s)
    await archive.login(mailbox.mailboxId, mailbox.password)
    const maildrop = (await archive.list('UIDL')).toString() + (await archive.list('LIST')).toString()
    await archive.quit()
    const rest = [await gateway.command('mailbox', 'list', '--json'), await messagesOf(gateway, mailbox.mailboxId)]
    await gateway.stop()
    return JSON.stringify([maildrop, rest])
  }
  const before = await answers()
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(data, `views.db${suffix}`), { force: true })
  assert.is(await answers(), before)
})

test('the log is a file that the sqlite3 program reads', () => {
  const python = `import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("select count(*) from event where type='MessageSealed'").fetchone()[0])`
  assert.is(execFileSync('python3', ['-c', python, join(data, 'events.db')], { encoding: 'utf8' }).trim(), '2')
})

test.after(() => first.remove())
test.run()
