import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { awkwardMails } from '../support/mails.ts'
import { messagesOf } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { logIn, startTestGateway } from '../support/testGateway.ts'

const gateway = await startTestGateway({
  env: { SEALPOST_SMTP_SENDER_CHECKS: 'record', SEALPOST_LIMITS_SENDER_CHECKS: '60' },
})

test.after(async () => {
  await gateway.stop()
  gateway.remove()
})

test('results stand in the log, with messages of any size, in what the API shows, and in the message’s life', async () => {
  const { address, mailboxId } = await gateway.createMailbox('--name', 'checked')
  const sender = await smtpClient(gateway.ports.smtp, { starttls: true })
  const ordinary = awkwardMails['an ordinary mail'] ?? Buffer.alloc(0)
  const broken = Buffer.concat([Buffer.from('DKIM-Signature: broken\r\n'), ordinary])
  const large = Buffer.concat([broken, Buffer.from('The quick brown fox.\r\n'.repeat(40_000))])
  for (const mail of [ordinary, broken, large])
    assert.ok((await sender.deliver(address, mail)).startsWith('250 '), 'delivered')
  await sender.quit()

  const none = { spf: 'none', dkim: [] }
  const neutral = { spf: 'none', dkim: ['neutral'] }
  const expected = [none, neutral, neutral]
  const received = (await logIn(gateway.data)).filter((event) => event.type === 'MessageReceived')
  assert.equal(
    received.map(({ data }) => data.senderChecks),
    expected,
  )
  const messages = await messagesOf(gateway, mailboxId)
  assert.equal(
    messages.map(({ senderChecks }) => senderChecks),
    expected,
  )
  const life = await gateway.command('message', 'show', messages[1]?.messageId ?? '')
  assert.match(life, 'received (journal; SPF none, DKIM neutral)')
})

test.run()
