import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ScratchGateway } from '../../ops/scratchGateway.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startTestGateway } from '../support/testGateway.ts'

const first = await startTestGateway()
const { mailboxId, address, password } = await first.createMailbox('--name', 'poisoned')
test.after(() => first.remove())

const deliver = async (gateway: ScratchGateway, to: string) => {
  const sender = await smtpClient(gateway.ports.smtp, { starttls: true })
  const reply = await sender.deliver(to, Buffer.from('Subject: one\r\n\r\none\r\n'))
  await sender.quit()
  return reply
}

const login = async (gateway: ScratchGateway) => {
  const archive = await pop3Client(gateway.ports.pop3s)
  const reply = await archive.login(mailboxId, password)
  archive.wire.destroy()
  return reply
}

/** As a newer gateway might have written it. */
const appendUnreadable = () => {
  const db = new DatabaseSync(join(first.data, 'events.db'), { timeout: 30_000 })
  db.exec(`insert into event (stream, revision, id, type, data, metadata, recordedAt)
    select 'message-x', 0, '${crypto.randomUUID()}', 'FromTheFuture', '{}', '{"version":1}', max(recordedAt) from event`)
  db.close()
}

/** What must be so with such an event in the log. */
const isAsItMustBe = async (gateway: ScratchGateway) => {
  assert.match(await deliver(gateway, address), /^250 /)
  // One that has waited for the views hears that they are still being built.
  assert.match(await login(gateway), /^-ERR \[SYS\/TEMP\] Storage is not available/)
  const { mailboxId: another, address: itsAddress } = await gateway.createMailbox('--name', 'made meanwhile')
  assert.match(await gateway.command('mailbox', 'show', another), /^Name +made meanwhile$/m)
  assert.match(await deliver(gateway, itsAddress), /^250 /)
  const shown: unknown = await gateway.command('status').catch((error: unknown) => error)
  const { code, stdout } = shown as { readonly code: number; readonly stdout: Buffer }
  assert.is(code, 1)
  assert.match(String(stdout), /^Stopped at +position \d{16}: FromTheFuture of message-x$/m)
}

test('mail is received beyond an event that cannot be read, logins are put off at once, and it is told which event', async () => {
  assert.match(await deliver(first, address), /^250 /)
  assert.match(await login(first), /^\+OK/)
  assert.match(await first.command('status'), /^Views +live$/m)
  appendUnreadable()
  await isAsItMustBe(first)
  assert.match(first.output(), /The views have stopped/)
  assert.is(await first.stop(), 0)
})

test('so it is after another start', async () => {
  const again = await startTestGateway({ data: first.data, ports: first.ports })
  await isAsItMustBe(again)
  assert.is(await again.stop(), 0)
})

test.run()
