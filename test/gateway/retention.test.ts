import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { setTimeout as delay } from 'node:timers/promises'
import { loadConfig } from '../../src/config.ts'
import { isMessageId, type MailboxId, newCommandId, vaultKey } from '../../src/core/ids.ts'
import { type Cause, stamper } from '../../src/core/events.ts'
import { systemClock } from '../../src/core/ports.ts'
import { mailboxStream } from '../../src/core/streams.ts'
import { pathsIn } from '../../src/dataDirectory.ts'
import { fsck } from '../../src/fsck.ts'
import { scratchEnv, type ScratchGateway } from '../../ops/scratchGateway.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { openVault } from '../../src/vault/openVault.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { messagesOf } from '../support/roundTrip.ts'
import { namesOf } from '../support/scratchParts.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { logIn, startTestGateway } from '../support/testGateway.ts'
import { until } from '../support/until.ts'

const test = suite('retention of a running gateway')
const gateways: ScratchGateway[] = []
const start = async (...options: Parameters<typeof startTestGateway>) => {
  const gateway = await startTestGateway(...options)
  gateways.push(gateway)
  return gateway
}
test.after(async () => {
  // Several have had one data directory after another: nothing is removed before all have ended.
  for (const gateway of gateways)
    if (gateway.process.exitCode === null && gateway.process.signalCode === null) await gateway.kill()
  for (const gateway of gateways) gateway.remove()
})

const deliver = async (gateway: ScratchGateway, address: string, count: number) => {
  const sender = await smtpClient(gateway.ports.smtp)
  for (let number = 0; number < count; number++) {
    const mail = Buffer.from(`Subject: ${number}\r\n\r\nbody\r\n`)
    assert.ok((await sender.deliver(address, mail)).startsWith('250 '))
  }
  await sender.quit()
}

/** Collects and deletes everything; gives how many messages there were. */
const drain = async (gateway: ScratchGateway, mailboxId: string, password: string) => {
  const archive = await pop3Client(gateway.ports.pop3s)
  assert.ok((await archive.login(mailboxId, password)).startsWith('+OK'))
  const count = Number((await archive.command('STAT')).split(' ')[1])
  for (let number = 1; number <= count; number++) {
    await archive.retrieve(number)
    assert.ok((await archive.command(`DELE ${number}`)).startsWith('+OK'))
  }
  await archive.quit()
  return count
}

const check = ({ data, ports }: Pick<ScratchGateway, 'data' | 'ports'>) =>
  fsck({ config: loadConfig({ cwd: data, env: scratchEnv(data, ports) }), repair: false })

const objectsIn = async (data: string) => {
  const vault = openVault({ engine: 'packs', dir: pathsIn(data).vault })
  const keys = (await namesOf(vault.list(''))).map(({ key }) => key)
  await vault.close()
  return keys
}

test('a deleted message is restored, deleted again, kept by a hold, and destroyed after its release', async () => {
  const gateway = await start({ env: { SEALPOST_RETENTION_SWEEP: '1' } })
  const { data, ports } = gateway
  const { address, mailboxId, password } = await gateway.createMailbox('--name', 'life')
  await deliver(gateway, address, 1)
  assert.is(await drain(gateway, mailboxId, password), 1)
  const [message] = await messagesOf(gateway, mailboxId)
  const messageId = message?.messageId ?? ''
  assert.ok(isMessageId(messageId))
  const state = async () =>
    (JSON.parse(await gateway.command('message', 'show', messageId, '--json')) as { state: string }).state
  assert.is(await state(), 'deleted')

  await gateway.command('message', 'restore', messageId)
  assert.is(await state(), 'retrievable')
  await gateway.command('mailbox', 'hold', mailboxId, '--reason', 'lawsuit')
  await gateway.command('mailbox', 'retention', mailboxId, '--grace', '0')
  assert.is(await drain(gateway, mailboxId, password), 1)
  // Two sweeps and more.
  await delay(2500)
  assert.is(await state(), 'deleted')
  await gateway.command('mailbox', 'release', mailboxId, '--reason', 'settled')
  await until(async () => (await state()) === 'purged', 'the message is destroyed')
  const late = await gateway.command('message', 'restore', messageId).catch(String)
  assert.match(late, 'cannot be restored')
  await gateway.stop()

  assert.equal(await objectsIn(data), [])
  const report = await check({ data, ports })
  assert.equal([report.problems, report.leftovers, report.messages], [[], [], 0])
  const told = (await logIn(data)).filter(({ type }) => /^(Maildrop|MessageR|MessageP|Hold|Purge)/.test(type))
  assert.equal(
    told.map(({ type, metadata }) => `${type} ${metadata.principal.split(':')[0] ?? ''}`),
    [
      'MessageReceived peer',
      'MessageRetrieved peer',
      'MaildropUpdated peer',
      'MessageRestored local',
      'HoldPlaced local',
      'MessageRetrieved peer',
      'MaildropUpdated peer',
      'HoldReleased local',
      'PurgeDecided system',
      'MessagePurged system',
    ],
  )
})

test('a mailbox is deleted for good: its addresses are unknown, nobody logs in, and nothing of it is left', async () => {
  const gateway = await start({ env: { SEALPOST_RETENTION_SWEEP: '1' } })
  const { data, ports } = gateway
  const { address, mailboxId, password } = await gateway.createMailbox('--name', 'gone')
  const other = await gateway.createMailbox('--name', 'other')
  const change = (what: string, ...words: readonly string[]) =>
    gateway.command('mailbox', what, mailboxId, ...words).then(
      () => 'done',
      (error: unknown) => (error as { readonly stderr: Buffer }).stderr.toString(),
    )
  await change('alias', '--add', 'gone@example.org')
  await deliver(gateway, 'gone@example.org', 2)
  await deliver(gateway, other.address, 1)
  assert.match(await change('delete', '--reason', 'left'), 'not in a state that allows this')
  await change('hold', '--reason', 'lawsuit')
  await change('suspend', '--reason', 'leaving')
  assert.match(await change('delete', '--reason', 'left', '--force'), 'legal hold')
  await change('release', '--reason', 'settled')
  assert.match(await change('delete', '--reason', 'left'), 'nobody has collected')
  assert.is(await change('delete', '--reason', 'left', '--force'), 'done')

  for (const to of [address, 'gone@example.org']) {
    const sender = await smtpClient(ports.smtp)
    assert.match(await sender.deliver(to, Buffer.from('Subject: late\r\n\r\n')), /^55\d /)
    await sender.quit()
  }
  const archive = await pop3Client(ports.pop3s)
  assert.match(await archive.login(mailboxId, password), /^-ERR \[AUTH\]/)
  await archive.quit()
  const shown = async () =>
    JSON.parse(await gateway.command('mailbox', 'show', mailboxId, '--json')) as { state: string }
  await until(async () => (await shown()).state === 'destroyed', 'it is destroyed')
  assert.not.match(await gateway.command('mailbox', 'list'), mailboxId)
  await gateway.command('mailbox', 'alias', other.mailboxId, '--add', 'gone@example.org')
  await gateway.stop()

  assert.equal(readdirSync(join(pathsIn(data).keys, 'mailboxes', mailboxId)), [])
  assert.is((await objectsIn(data)).length, 1)
  const report = await check({ data, ports })
  assert.equal([report.problems, report.leftovers, report.messages], [[], [], 1])
  const told = (await logIn(data)).filter(({ stream }) => stream === `mailbox-${mailboxId}`)
  assert.equal(
    told.map(({ type, metadata }) => `${type} ${metadata.principal.split(':')[0] ?? ''}`),
    [
      'MailboxCreated local',
      'MailboxAliasesChanged local',
      'HoldPlaced local',
      'MailboxSuspended local',
      'HoldReleased local',
      'MailboxDeleted local',
      'PurgeDecided system',
      'MailboxDestroyed system',
    ],
  )
})

test('what was decided before the gateway died is done by its next start', async () => {
  const gateway = await start({ env: { SEALPOST_RETENTION_GRACE: '1d' } })
  const { data, ports } = gateway
  const { address, mailboxId, password } = await gateway.createMailbox('--name', 'crash')
  await deliver(gateway, address, 2)
  await drain(gateway, mailboxId, password)
  const ids = (await messagesOf(gateway, mailboxId)).map(({ messageId }) => messageId).filter(isMessageId)
  await gateway.kill()

  // As the log is when a gateway dies between the decision and the removal of the first object.
  const log = sqliteLog({ file: pathsIn(data).log, clock: systemClock })
  const cause: Cause = { principal: 'system', correlationId: 'test', causationId: 'test' }
  const fact = { type: 'PurgeDecided', data: { mailboxId: mailboxId as MailboxId, messageIds: ids } } as const
  const events = [stamper('scratch', () => new Date())(fact, cause)]
  const stream = mailboxStream(mailboxId as MailboxId)
  await log.append({ stream, expected: 'any', commandId: newCommandId(), events })
  await log.close()
  assert.equal((await objectsIn(data)).sort(), ids.map(vaultKey).sort())
  assert.equal((await check({ data, ports })).problems, [])

  const again = await start({ data, ports, env: { SEALPOST_RETENTION_GRACE: '1d' } })
  await until(
    async () => (await messagesOf(again, mailboxId)).every((message) => message.state === 'purged'),
    'all are destroyed',
  )
  await again.stop()
  assert.equal(await objectsIn(data), [])
  assert.equal((await check({ data, ports })).problems, [])
})

test('a gateway that is killed while it destroys leaves nothing half done', async () => {
  const env = { SEALPOST_RETENTION_GRACE: '0', SEALPOST_RETENTION_SWEEP: '1' }
  const first = await start({ env: { SEALPOST_RETENTION_GRACE: '1d' } })
  const { data, ports } = first
  const { address, mailboxId, password } = await first.createMailbox('--name', 'killed')
  await deliver(first, address, 300)
  assert.is(await drain(first, mailboxId, password), 300)
  await deliver(first, address, 1)
  await first.stop()

  for (let round = 0; round < 3; round++) {
    const gateway = await start({ data, ports, env })
    await delay(Math.random() * 60)
    await gateway.kill()
    assert.equal((await check({ data, ports })).problems, [])
  }
  const last = await start({ data, ports, env })
  await until(
    async () => (await messagesOf(last, mailboxId)).slice(0, 300).every(({ state }) => state === 'purged'),
    'all are destroyed',
  )
  await last.stop()
  assert.is((await objectsIn(data)).length, 1)
  const report = await check({ data, ports })
  assert.equal([report.problems, report.leftovers, report.messages], [[], [], 1])
})

test.run()
