import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { smtpClient } from '../support/smtpClient.ts'
import { startTestGateway } from '../support/testGateway.ts'

const mail = Buffer.from('Subject: x\r\n\r\nx\r\n')

test('while the views stand still a policy made stricter lets nobody in for longer than limits.logLag', async () => {
  const gateway = await startTestGateway({ env: { SEALPOST_LIMITS_LOG_LAG: '5s' } })
  const { address, mailboxId } = await gateway.createMailbox('--name', 'strict')
  const sent = async () => {
    const client = await smtpClient(gateway.ports.smtp)
    const answer = await client.deliver(address, mail)
    await client.quit()
    return answer.split(' ').slice(0, 2).join(' ')
  }
  const becomes = async (wanted: string, within: number) => {
    const until = performance.now() + within
    for (;;) {
      const answer = await sent()
      if (answer === wanted) return
      assert.ok(performance.now() < until, `${answer}, not ${wanted}\n${gateway.output()}`)
      await delay(100)
    }
  }
  await becomes('250 2.6.0', 30_000)
  const begun = await smtpClient(gateway.ports.smtp)
  for (const command of ['MAIL FROM:<a@example.com>', `RCPT TO:<${address}>`, 'DATA'])
    assert.match(await begun.command(command), /^[23]/)
  begun.wire.send(mail)

  // Whoever else writes the file is in the way as a full disk is.
  const views = new DatabaseSync(join(gateway.data, 'views.db'), { timeout: 30_000 })
  views.exec('begin immediate')
  const change = gateway.command('mailbox', 'sender-policy', mailboxId, '--network', '192.0.2.0/24')
  change.catch(() => undefined)
  // Less than the limit's default.
  await becomes('450 4.3.2', 20_000)
  await delay(300)
  assert.is(await sent(), '450 4.3.2')
  assert.match(await begun.command('.'), /^45[01] /, 'a message that began before is not taken either')
  await begun.quit()

  views.exec('rollback')
  views.close()
  await becomes('450 4.7.1', 30_000)
  await Promise.allSettled([change])
  await gateway.stop()
})

test.run()
