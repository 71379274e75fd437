import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pop3Client } from '../support/pop3Client.ts'
import { messagesOf } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { storeDoubleProcess } from '../support/storeDoubleProcess.ts'
import { startTestGateway } from '../support/testGateway.ts'

type AsOf = { readonly position: string; readonly recordedAt: string }
type Maildrop = { readonly asOf: AsOf; readonly maildrop: readonly { readonly messageId: string }[] }

/** What a reviewer asks of a gateway, and of its log without it. `copyLog` puts that where `--data` finds it. */
const review = async (env: Readonly<Record<string, string>>, copyLog: (data: string, copy: string) => void) => {
  const gateway = await startTestGateway({ env })
  const copy = mkdtempSync(join(tmpdir(), 'sealpost-copy-'))
  const json = async <T>(...words: readonly string[]) => JSON.parse(await gateway.command(...words, '--json')) as T
  const { mailboxId, address, password } = await gateway.createMailbox('--name', 'history')
  const sender = await smtpClient(gateway.ports.smtp, { starttls: true })
  for (const text of ['one', 'two', 'three'])
    await sender.deliver(address, Buffer.from(`Subject: ${text}\r\n\r\n${text}\r\n`))
  await sender.quit()
  const ids = (await messagesOf(gateway, mailboxId)).map(({ messageId }) => messageId)
  const before = await json<Maildrop>('replay', 'maildrop', '--mailbox', mailboxId)
  assert.equal(
    before.maildrop.map(({ messageId }) => messageId),
    ids,
  )

  const archive = await pop3Client(gateway.ports.pop3s)
  await archive.login(mailboxId, password)
  await archive.retrieve(1)
  await archive.command('DELE 1')
  await archive.quit()
  const now = await json<Maildrop>('replay', 'maildrop', '--mailbox', mailboxId)
  assert.equal(
    now.maildrop.map(({ messageId }) => messageId),
    ids.slice(1),
  )

  copyLog(gateway.data, copy)
  for (const moment of [
    ['--position', before.asOf.position],
    ['--until', before.asOf.recordedAt],
  ])
    for (const offline of [[], ['--data', copy]])
      assert.equal(
        (await json<Maildrop>('replay', ...moment, 'maildrop', '--mailbox', mailboxId, ...offline)).maildrop,
        before.maildrop,
        [...moment, ...offline].join(' '),
      )
  const domain = ['--position', now.asOf.position]
  for (const view of [['mailboxes'], ['messages', '--mailbox', address]])
    assert.equal(await json('replay', ...view, ...domain), await json('replay', ...view, ...domain, '--data', copy))

  type Shown = {
    readonly timeline: readonly {
      readonly type: string
      readonly principal: string
      readonly protocol: string | null
    }[]
  }
  const { timeline } = await json<Shown>('message', 'show', ids[0] ?? '')
  assert.equal(
    timeline.map(({ type, protocol }) => `${type} ${protocol ?? ''}`),
    ['MessageReceived smtp', 'MessageSealed smtp', 'MessageRetrieved pop3s', 'MaildropUpdated pop3s'],
  )
  assert.ok(timeline.every(({ principal }) => principal === 'peer:127.0.0.1'))
  assert.match(await gateway.command('message', 'show', ids[0] ?? ''), /retrieved +peer:127\.0\.0\.1 \(pop3s\) /)

  const recorded = async (...more: readonly string[]) =>
    (await gateway.command('events', '--stream', `message-${ids[0] ?? ''}`, ...more))
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { readonly type: string }).type)
  const types = ['MessageReceived', 'MessageSealed', 'MessageRetrieved']
  assert.equal(await recorded(), types)
  assert.equal(await recorded('--data', copy), types)

  assert.is(await gateway.stop(), 0)
  const sealed = await gateway.commandBytes('sealed', ids[0] ?? '', '--data', gateway.data)
  assert.is(sealed.subarray(0, 21).toString(), 'age-encryption.org/v1')
  assert.match(await gateway.command('fsck', '--data', gateway.data), /3 messages/)
  gateway.remove()
  rmSync(copy, { recursive: true })
}

test('reviewers see what a maildrop held before it was emptied, from the gateway and from a copy of its log', () =>
  review({}, (data, copy) => {
    for (const file of ['events.db', 'events.db-wal']) cpSync(join(data, file), join(copy, file))
  }))

test('they see the same where the log is in an event store, with the gateway and without it', async () => {
  const store = await storeDoubleProcess()
  await review({ SEALPOST_LOG_ENGINE: 'eventstoredb', SEALPOST_LOG_URL: store.url }, () => undefined)
  await store.remove()
})

test.run()
