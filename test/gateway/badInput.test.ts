import { DatabaseSync } from 'node:sqlite'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pop3Client } from '../support/pop3Client.ts'
import { eventsOf, messagesOf } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { openWire } from '../support/wire.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { until } from '../support/until.ts'

const gateway = await startTestGateway({
  env: { SEALPOST_LIMITS_MESSAGE_SIZE: '1MiB', SEALPOST_LIMITS_IDLE_COMMANDS: '1000000' },
})
const { smtp, pop3, pop3s } = gateway.ports

test.after(async () => {
  await gateway.stop()
  gateway.remove()
})

const mail = Buffer.from('Subject: hello\r\n\r\nhello\r\n')

const packOf = (data: string) => {
  const [pack] = readdirSync(join(data, 'vault/packs')).filter((name) => name.endsWith('.db'))
  return new DatabaseSync(join(data, 'vault/packs', pack ?? ''), { timeout: 5000 })
}
const objectCount = () => {
  const pack = packOf(gateway.data)
  const count = pack.prepare('select count(*) as n from object').get()?.['n'] as number
  pack.close()
  return count
}

test('an unknown recipient is refused with 550 5.1.1, a foreign one is not relayed, and the session goes on', async () => {
  const { address } = await gateway.createMailbox('--name', 'known')
  const client = await smtpClient(smtp)
  await client.command('MAIL FROM:<a@example.com>')
  const unknown = await client.command('RCPT TO:<nobody@gateway.test>')
  assert.ok(unknown.startsWith('550 5.1.1 '), unknown)
  const foreign = await client.command('RCPT TO:<somebody@elsewhere.example>')
  assert.ok(foreign.startsWith('550 5.7.1 '), foreign)
  assert.ok((await client.command(`RCPT TO:<${address}>`)).startsWith('250 '))
  await client.quit()
})

test('a suspended mailbox puts mail off with 450 4.2.1 until it is resumed', async () => {
  const { address, mailboxId } = await gateway.createMailbox('--name', 'suspended')
  await gateway.command('mailbox', 'suspend', mailboxId, '--reason', 'an audit')
  const client = await smtpClient(smtp)
  const refused = await client.deliver(address, mail)
  assert.ok(refused.startsWith('450 4.2.1 '), refused)
  await client.command('RSET')
  await gateway.command('mailbox', 'resume', mailboxId)
  assert.ok((await client.deliver(address, mail)).startsWith('250 '))
  await client.quit()
})

test('an alias receives, and a second mailbox for it is refused', async () => {
  const { mailboxId, password } = await gateway.createMailbox('--name', 'aliased', '--alias', 'Journal@Example.ORG')
  const taken = await gateway.command('mailbox', 'create', '--name', 'other', '--alias', 'journal@example.org').then(
    () => '',
    (error: unknown) => String((error as { stderr?: Buffer }).stderr),
  )
  assert.match(taken, /journal@example\.org/)
  const client = await smtpClient(smtp)
  assert.ok((await client.deliver('jOURNAL@example.org', mail)).startsWith('250 '))
  await client.quit()
  const archive = await pop3Client(pop3s)
  assert.ok((await archive.login('journal@example.org', password)).startsWith('+OK'))
  assert.ok((await archive.command('STAT')).startsWith('+OK 1 '))
  await archive.quit()
  assert.is((await messagesOf(gateway, mailboxId)).length, 1)
})

test('a body over the limit is answered 552 after its end, whether it was declared or not, and leaves no object', async () => {
  const { address, mailboxId } = await gateway.createMailbox('--name', 'oversize')
  const before = objectCount()
  const client = await smtpClient(smtp)
  const declared = await client.command('MAIL FROM:<a@example.com> SIZE=1048577')
  assert.ok(declared.startsWith('552 5.3.4 '), declared)
  const undeclared = await client.deliver(address, Buffer.alloc(3 << 20, 'x\r\n'))
  assert.ok(undeclared.startsWith('552 5.3.4 '), undeclared)
  assert.ok((await client.deliver(address, mail)).startsWith('250 '))
  await client.quit()
  assert.is((await messagesOf(gateway, mailboxId)).length, 1)
  assert.is(objectCount(), before + 1)
})

test('a connection lost inside DATA leaves no trace but the events of its session', async () => {
  const { address, mailboxId } = await gateway.createMailbox('--name', 'lost')
  const before = objectCount()
  const client = await smtpClient(smtp)
  await client.command('MAIL FROM:<a@example.com>')
  await client.command(`RCPT TO:<${address}>`)
  await client.command('DATA')
  client.wire.send(Buffer.alloc(600_000, 'half a mail\r\n'))
  await delay(200)
  client.wire.destroy()
  const lost = () =>
    eventsOf(gateway, '--type', 'SessionClosed').then((all) => all.some(({ data }) => data['outcome'] === 'lost'))
  await until(lost, 'the session is closed as lost')
  assert.is(objectCount(), before)
  assert.equal(await messagesOf(gateway, mailboxId), [])
})

test('a second login to a maildrop that is in use gets [IN-USE], and the first goes on', async () => {
  const { mailboxId, password } = await gateway.createMailbox('--name', 'in use')
  const first = await pop3Client(pop3s)
  assert.ok((await first.login(mailboxId, password)).startsWith('+OK'))
  const second = await pop3Client(pop3s)
  const refused = await second.login(mailboxId, password)
  assert.ok(refused.startsWith('-ERR [IN-USE]'), refused)
  assert.ok((await first.command('STAT')).startsWith('+OK 0 '))
  await first.quit()
  second.wire.destroy()
  const third = await pop3Client(pop3s)
  assert.ok((await third.login(mailboxId, password)).startsWith('+OK'))
  await third.quit()
})

test('credentials before TLS are refused without being looked at', async () => {
  const { mailboxId, password } = await gateway.createMailbox('--name', 'plain')
  const plain = await pop3Client(pop3, { tls: false })
  assert.ok((await plain.command(`USER ${mailboxId}`)).startsWith('-ERR'))
  assert.ok(
    (await plain.command(`AUTH PLAIN ${Buffer.from(`\0${mailboxId}\0${password}`).toString('base64')}`)).startsWith(
      '-ERR',
    ),
  )
  plain.wire.destroy()
  const sender = await smtpClient(smtp)
  assert.match(await sender.command('AUTH PLAIN AGEAYg=='), /^5\d\d /)
  await sender.quit()
})

test('a deletion takes effect at QUIT, and one that is not followed by QUIT does not', async () => {
  const { address, mailboxId, password } = await gateway.createMailbox('--name', 'deletions')
  const sender = await smtpClient(smtp)
  for (let sent = 0; sent < 3; sent++) await sender.deliver(address, mail)
  await sender.quit()
  const careless = await pop3Client(pop3s)
  await careless.login(mailboxId, password)
  await careless.command('DELE 1')
  careless.wire.destroy()
  const archive = await pop3Client(pop3s)
  await until(async () => (await archive.login(mailboxId, password)).startsWith('+OK'))
  assert.ok((await archive.command('STAT')).startsWith('+OK 3 '))
  await archive.command('DELE 2')
  assert.ok((await archive.quit()).startsWith('+OK'))
  const after = await pop3Client(pop3s)
  await after.login(mailboxId, password)
  assert.ok((await after.command('STAT')).startsWith('+OK 2 '))
  await after.quit()
})

test('a message whose object is gone gets -ERR [SYS/PERM] and an event, and the others are still served', async () => {
  const { address, mailboxId, password } = await gateway.createMailbox('--name', 'gone')
  const sender = await smtpClient(smtp)
  for (let sent = 0; sent < 2; sent++) await sender.deliver(address, mail)
  await sender.quit()
  const [first, second] = await messagesOf(gateway, mailboxId)
  const pack = packOf(gateway.data)
  pack.prepare('delete from object where id = ?').run(first?.messageId ?? '')
  pack.prepare('update object set sealed = zeroblob(length(sealed)) where id = ?').run(second?.messageId ?? '')
  pack.close()
  await smtpClient(smtp).then(async (again) => {
    await again.deliver(address, mail)
    await again.quit()
  })
  const archive = await pop3Client(pop3s)
  await archive.login(mailboxId, password)
  assert.ok((await archive.command('RETR 1')).startsWith('-ERR [SYS/PERM]'))
  assert.ok((await archive.command('RETR 2')).startsWith('-ERR [SYS/PERM]'))
  assert.ok((await archive.retrieve(3)).includes('hello'))
  await archive.quit()
  const unreadable = await eventsOf(gateway, '--type', 'MessageUnreadable')
  assert.equal(
    unreadable.map(({ data }) => data['reason']),
    ['missing', 'corrupt'],
  )
})

test('ten thousand pipelined commands are all answered, in order', async () => {
  const wire = await openWire(smtp)
  await wire.line()
  wire.send('EHLO client.example\r\n' + 'NOOP\r\n'.repeat(10_000) + 'QUIT\r\n')
  let noops = 0
  for (let line = ''; !line.startsWith('221'); line = await wire.line()) if (line.startsWith('250 2.0.0')) noops++
  assert.ok(noops >= 10_000)
  wire.destroy()
})

test('a line without end is bounded and answered', async () => {
  for (const port of [smtp, pop3]) {
    const wire = await openWire(port)
    await wire.line()
    wire.send(Buffer.alloc(1 << 20, 'x'))
    wire.send('\r\n')
    assert.match(await wire.line(), /^(500|-ERR)/)
    wire.destroy()
  }
})

test('wrong passwords soon cost the guesser time, and the owner at an address that succeeded lately is let in', async () => {
  const { mailboxId, password } = await gateway.createMailbox('--name', 'guessed')
  const ownersLogin = async () => {
    const owner = await pop3Client(pop3s, { from: '127.0.0.8' })
    const answer = await owner.login(mailboxId, password)
    await owner.quit()
    return answer
  }
  assert.ok((await ownersLogin()).startsWith('+OK'))
  const answers: string[] = []
  for (let guess = 0; guess < 12; guess++) {
    const guesser = await pop3Client(pop3s, { from: '127.0.0.9' })
    answers.push(await guesser.login(mailboxId, `guess-${guess}`))
    guesser.wire.destroy()
  }
  assert.ok(answers[0]?.startsWith('-ERR [AUTH]'), answers[0])
  assert.ok(
    answers.slice(1).some((answer) => answer.startsWith('-ERR [SYS/TEMP]')),
    answers.join('\n'),
  )
  assert.ok((await ownersLogin()).startsWith('+OK'))
})

test.run()
