import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startProxyGateway } from '../support/proxyGateway.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startSmtpProvider } from '../support/smtpProvider.ts'
import { storeDoubleProcess } from '../support/storeDoubleProcess.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { until } from '../support/until.ts'

// What a mail client sends and the gateway cannot record does not reach the provider.

const authority = await testAuthority()
const provider = await startSmtpProvider(await authority.issue({ names: ['localhost'] }))
const mail = Buffer.from('Subject: unrecorded\r\n\r\nwhere is it\r\n')

test.after(() => provider.close())

test('with the log away sending is put off and nothing reaches the provider; with the log back it goes on', async () => {
  const store = await storeDoubleProcess()
  const env = { SEALPOST_LOG_ENGINE: 'eventstoredb', SEALPOST_LOG_URL: store.url, SEALPOST_PROXY_HOLD_TIMEOUT: '8' }
  const gateway = await startProxyGateway(authority, [provider.port], { env })
  const { mailboxId } = await gateway.createMailbox('--name', 'log away')
  const login = async (user: string) => {
    const client = await smtpClient(gateway.ports.submissions, { tls: true })
    return {
      client,
      answer: await client.login(`${user}%localhost:${provider.port}%${mailboxId}`, 'the password at the provider'),
    }
  }
  const { client, answer } = await login('anna@example.com')
  assert.match(answer, /^235 /)
  assert.match(await client.deliver('bert@example.net', mail), /^250 /)
  assert.is(provider.mails.length, 1)

  await store.kill()
  assert.match(await client.deliver('bert@example.net', mail), /^4\d\d /)
  await provider.idle()
  assert.is(provider.mails.length, 1, 'what reached the provider')
  client.wire.destroy()

  await store.start()
  let tries = 0
  await until(async () => {
    const again = await login(`clara-${tries++}@example.com`)
    const sent = again.answer.startsWith('235') ? await again.client.deliver('bert@example.net', mail) : again.answer
    again.client.wire.destroy()
    if (!sent.startsWith('250')) assert.match(sent, /^4\d\d /)
    return sent.startsWith('250')
  })
  assert.is(provider.mails.length, 2)
  assert.is(await gateway.stop(), 0)
  await store.remove()
  gateway.remove()
})

test.run()
