import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadConfig } from '../../src/config.ts'
import { fsck } from '../../src/fsck.ts'
import { generateIdentity } from '../../src/seal/x25519.ts'
import { scratchEnv } from '../../ops/scratchGateway.ts'
import { commandOn } from '../support/commandOn.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { eventsOf, messagesOf } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startTestGateway } from '../support/testGateway.ts'

const test = suite('keys of a running gateway')
const gateway = await startTestGateway()
test.after(async () => {
  await gateway.kill()
  gateway.remove()
})

const kept = await generateIdentity()
const { mailboxId, address, password } = await gateway.createMailbox('--name', 'Keys', '--recovery', kept.recipient)
const current = { password }

const file = (name: string, content: string) => {
  writeFileSync(join(gateway.data, name), `${content}\n`)
  return name
}
type Changed = {
  readonly password: string
  readonly generations: readonly number[]
  readonly shut: { readonly messages: number; readonly inMaildrop: number }
}
const changed = async (...args: readonly string[]) =>
  JSON.parse(await gateway.command('mailbox', ...args, '--json')) as Changed

const deliver = async (text: string) => {
  const sender = await smtpClient(gateway.ports.smtp)
  assert.ok((await sender.deliver(address, Buffer.from(`Subject: ${text}\r\n\r\nbody\r\n`))).startsWith('250 '))
  await sender.quit()
}

/** The greeting of a login, and the subjects of what it can collect. */
const collected = async (secret: string) => {
  const archive = await pop3Client(gateway.ports.pop3s)
  const greeting = await archive.login(mailboxId, secret)
  const subjects: string[] = []
  if (greeting.startsWith('+OK')) {
    const count = Number((await archive.command('STAT')).split(' ')[1])
    for (let number = 1; number <= count; number++)
      subjects.push(/^Subject: (.*)\r$/m.exec((await archive.retrieve(number)).toString())?.[1] ?? '')
    assert.match(await archive.command(`RETR ${count + 1}`), /^-ERR No such message/)
  }
  await archive.quit()
  return { greeting: greeting.replace(/\d+ octets/, 'n octets'), subjects }
}

test('after a password change and a rotation one login collects what came before and after', async () => {
  await deliver('one')
  const done = await changed('password', mailboxId, '--old-password-file', file('old', password))
  assert.equal([done.generations, done.shut.messages], [[1], 0])
  await changed('rotate-key', mailboxId, '--password-file', file('now', done.password))
  await deliver('two')
  assert.equal(await collected(done.password), { greeting: '+OK 2 messages (n octets)', subjects: ['one', 'two'] })
  current.password = done.password
})

test('after a reset each password collects its own mail, and is told of the rest', async () => {
  const { password: old } = current
  const done = await changed('reset-password', mailboxId)
  assert.equal(done.shut, { messages: 2, inMaildrop: 2 })
  await deliver('three')
  assert.equal(await collected(old), {
    greeting: '+OK 2 messages (n octets); 1 more opens with another password',
    subjects: ['one', 'two'],
  })
  assert.equal(await collected(done.password), {
    greeting: '+OK 1 message (n octets); 2 more open with another password',
    subjects: ['three'],
  })
  const [first] = await messagesOf(gateway, mailboxId)
  const opened = await gateway.command('open', first?.messageId ?? '', '--password-file', file('older', old))
  assert.match(opened, 'Subject: one')
  const asked = ['--headers', '--reason', 'audit of March', '--password-file', 'older']
  const header = await gateway.command('open', first?.messageId ?? '', ...asked)
  assert.match(header, /^Return-Path: [^]*\r\nSubject: one\r\n\r\n$/)
  const all = await eventsOf(gateway, '--type', 'RecordOpened')
  const records = all.filter(({ data }) => data['record'] === 'plaintext')
  assert.equal(records.map(({ data }) => [data['record'], data['messageId'], data['part'], data['reason']]).slice(-2), [
    ['plaintext', first?.messageId, undefined, undefined],
    ['plaintext', first?.messageId, 'headers', 'audit of March'],
  ])
  assert.match(
    await gateway.command('message', 'show', first?.messageId ?? ''),
    'its header opened over the API: audit of',
  )
  const shut = await commandOn(gateway, 'open', first?.messageId ?? '', '--password-file', file('new', done.password))
  assert.equal([shut.code, /does not open/.test(shut.stderr)], [1, true])
})

test('who holds the recovery identity gets a password for everything', async () => {
  const recovered = await changed('recover', mailboxId, '--identity-file', file('kept', kept.identity))
  assert.equal([recovered.generations, recovered.shut.messages], [[1, 2, 3], 0])
  assert.equal((await collected(recovered.password)).subjects, ['one', 'two', 'three'])
  current.password = recovered.password
})

test('a password that is refused for its form is told why, and every change stands in the log with its principal', async () => {
  const older = file('now', current.password)
  const args = ['--old-password-file', older, '--new-password-file', file('bad', 'short')]
  const refused = await commandOn(gateway, 'mailbox', 'password', mailboxId, ...args)
  assert.is(refused.code, 1)
  assert.match(refused.stderr, 'must be 12 to 128 printable ASCII characters')
  const types = (await eventsOf(gateway, '--stream', `mailbox-${mailboxId}`)).map(({ type }) => type)
  assert.equal(types, [
    'MailboxCreated',
    'MailboxPasswordChanged',
    'MailboxKeyRotated',
    'MailboxPasswordReset',
    'MailboxRecovered',
  ])
})

test('the mailbox shows its keys, and its files are those that the log names', async () => {
  const shown = await gateway.command('mailbox', 'show', mailboxId)
  for (const key of ['Key 1', 'Key 2', 'Key 3']) assert.match(shown, key)
  const age = await gateway.command('mailbox', 'identity', mailboxId, '--generation', '1', '--recovery')
  assert.match(age, '-> X25519 ')
  assert.is(readdirSync(join(gateway.data, 'keys/mailboxes', mailboxId)).length, 6)
  await gateway.stop()
  const config = loadConfig({ cwd: gateway.data, env: scratchEnv(gateway.data, gateway.ports) })
  const { problems, leftovers } = await fsck({ config, repair: false })
  assert.equal([problems, leftovers], [[], []])
})

test.run()
