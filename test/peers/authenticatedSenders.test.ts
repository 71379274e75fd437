import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts } from '../../ops/scratchGateway.ts'
import { apiOf } from '../support/apiClient.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { peerTest } from '../support/peers.ts'
import { startPostfixSender } from '../support/postfixSender.ts'
import { withoutTrace } from '../support/roundTrip.ts'
import { say } from '../support/said.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { logIn, startTestGateway } from '../support/testGateway.ts'
import { ordinaryMails } from './ordinaryMails.ts'
import { outputOf, scratchFiles } from './program.ts'
import { retrieved } from './retrieved.ts'

// One gateway that knows an authority of client certificates; what is asked for, each mailbox says for itself.

const test = suite('authenticated senders')
const authority = await testAuthority('Senders')
const data = mkdtempSync(join(tmpdir(), 'sealpost-'))
writeFileSync(join(data, 'senders.pem'), authority.cert)
writeFileSync(join(data, 'sealpost.toml'), '[smtp]\nclientCaFile = "senders.pem"\n')
const gateway = await startTestGateway({ data })
const files = scratchFiles()
const issued = await authority.issue({ names: ['mail.sender.test'], usage: 'client' })
const [key, cert] = [files.write('client.key', issued.key), files.write('client.crt', issued.cert)]
const mail = ordinaryMails[0] ?? Buffer.alloc(0)

test.after(async () => {
  await gateway.stop()
  gateway.remove()
  files.remove()
})

const api = apiOf(gateway)
const asked = async (method: string, path: string, body: object) => {
  const token = readFileSync(join(data, 'admin.token'), 'utf8').trim()
  const answer = await api(method, path, { body, token })
  assert.ok(answer.status < 300, answer.text)
  return answer.text
}
type Mailbox = { readonly mailboxId: string; readonly address: string; readonly password: string }
type Issued = { readonly senderId: string; readonly token: string }

/** A mailbox that takes mail with a token and with a certificate for this host only, refused for good. */
const strictMailbox = async (name: string) => {
  const mailbox = JSON.parse(await asked('POST', '/v1/mailboxes', { name })) as Mailbox
  const policy = { networks: [], requires: ['token'], certificateNames: ['mail.sender.test'], refusal: 'permanent' }
  await asked('PUT', `/v1/mailboxes/${mailbox.mailboxId}/sender-policy`, policy)
  const sender = JSON.parse(await asked('POST', '/v1/senders', { mailboxes: [mailbox.mailboxId] })) as Issued
  say(sender.token)
  return { ...mailbox, ...sender }
}

const receivedBy = async (mailboxId: string) =>
  (await logIn(data)).flatMap((event) =>
    event.type === 'MessageReceived' && event.data.mailboxId === mailboxId ? [event.data.senderId] : [],
  )

for (const [flag, port] of [
  ['--tls', gateway.ports.smtp],
  ['--tlsc', gateway.ports.smtps],
] as const)
  peerTest(test, ['swaks'], `swaks ${flag} delivers with certificate and token, and not without either`, async () => {
    const { senderId, token, address, ...mailbox } = await strictMailbox(`swaks ${flag}`)
    const { mailboxId } = mailbox
    const eml = `@${files.write('swaks.eml', mail.subarray(0, -2))}`
    const words = ['--server', `127.0.0.1:${port}`, '--to', address, '--from', 'ada@example.com', '--data', eml, flag]
    const shown = ['--tls-cert', cert, '--tls-key', key]
    const login = (mechanism: string) => ['--auth', mechanism, '--auth-user', senderId, '--auth-password', token]
    for (const mechanism of ['PLAIN', 'LOGIN']) await outputOf('swaks', [...words, ...shown, ...login(mechanism)])
    await assertRefused(['swaks', [...words, ...login('PLAIN')]], /530 5\.7\.0 A client certificate/)
    await assertRefused(['swaks', [...words, ...shown]], /530 5\.7\.0 Authentication required/)
    const wrong = ['--auth', 'PLAIN', '--auth-user', senderId, '--auth-password', 'wrong']
    // Or who tries again too soon after the other listener has refused him.
    await assertRefused(['swaks', [...words, ...shown, ...wrong]], /535 5\.7\.8|454 4\.7\.0 Too many failed attempts/)
    const mails = await retrieved(gateway.ports.pop3s, mailbox)
    assert.equal(mails.map((one) => withoutTrace(one).equals(mail)), [true, true]) // prettier-ignore
    for (const one of mails) assert.match(one.toString(), /^Received: [^]*? with ESMTPSA /m)
    assert.equal(await receivedBy(mailboxId), [senderId, senderId])
  })

const assertRefused = async ([program, words]: readonly [string, readonly string[]], by: RegExp) => {
  try {
    await outputOf(program, words)
  } catch (error) {
    assert.match(String(error), by)
    return
  }
  throw new Error(`${program} was not refused`)
}

test("a sender's token opens no maildrop, by whatever name", async () => {
  const { mailboxId, senderId, token, address } = await strictMailbox('POP3')
  for (const name of [senderId, mailboxId, address]) {
    const client = await pop3Client(gateway.ports.pop3s)
    assert.match(await client.login(name, token), /^-ERR /, name)
    await client.quit()
  }
})

peerTest(test, ['curl'], 'curl uploads mail with certificate and token, and not without', async () => {
  const { address, mailboxId, senderId, token } = await strictMailbox('curl')
  const envelope = [
    '--mail-from',
    'ada@example.com',
    '--mail-rcpt',
    address,
    '--upload-file',
    files.write('c.eml', mail),
  ]
  const words = ['--silent', '--show-error', '--insecure', '--ssl-reqd', ...envelope]
  const url = `smtp://127.0.0.1:${gateway.ports.smtp}`
  const shown = ['--cert', cert, '--key', key]
  await outputOf('curl', [...words, ...shown, '--user', `${senderId}:${token}`, url])
  await assertRefused(['curl', [...words, '--user', `${senderId}:${token}`, url]], /RCPT failed: 530/)
  await assertRefused(['curl', [...words, ...shown, '--user', `${senderId}:wrong`, url]], /Login denied|535/)
  assert.equal(await receivedBy(mailboxId), [senderId])
})

peerTest(
  test,
  ['postfix', 'postconf'],
  'Postfix sends with certificate and token, each time over a TLS session of its own, and keeps its mail once the token is revoked',
  async () => {
    const { address, mailboxId, senderId, token } = await strictMailbox('Postfix')
    const { smtp: port } = await freePorts()
    const options = { gateway: gateway.ports.smtp, port, client: issued, name: senderId, token }
    const postfix = await startPostfixSender(options)
    try {
      const give = async () => {
        const client = await smtpClient(port)
        assert.match(await client.deliver(address, mail), /^250 /)
        await client.quit()
      }
      for (const count of [1, 2]) {
        await give()
        assert.match((await postfix.attempts(count)).at(-1) ?? '', /status=sent \(250 2\.6\.0 /)
      }
      assert.not.match(postfix.log(), /Reusing old session/)
      assert.equal(await receivedBy(mailboxId), [senderId, senderId])
      await gateway.command('sender', 'revoke', senderId)
      await give()
      assert.match((await postfix.attempts(3)).at(-1) ?? '', /status=deferred /)
    } finally {
      await postfix.stop()
    }
  },
)

test.run()
