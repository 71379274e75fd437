import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { apiOf } from '../support/apiClient.ts'
import { startProxyGateway } from '../support/proxyGateway.ts'
import { ofType } from '../support/proxiedLog.ts'
import { say, sayMail } from '../support/said.ts'
import { type SmtpClient, smtpClient } from '../support/smtpClient.ts'
import { startSmtpProvider } from '../support/smtpProvider.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { logIn } from '../support/testGateway.ts'
import { until } from '../support/until.ts'

// The two bounds of too much that a sender meets: how often he begins, and what all have in memory. Each at its least.

const test = suite('pressure of a gateway')
const MiB = 2 ** 20

const authority = await testAuthority()
const provider = await startSmtpProvider(await authority.issue({ names: ['localhost'] }))
const gateway = await startProxyGateway(authority, [provider.port], {
  env: { SEALPOST_LIMITS_MESSAGES_PER_MINUTE: '1', SEALPOST_LIMITS_BYTES_IN_FLIGHT: '1MiB' },
})
const { address, mailboxId } = await gateway.createMailbox('--name', 'under pressure')
const ask = apiOf(gateway)

test.after(async () => {
  await provider.close()
  await gateway.stop()
  gateway.remove()
})

const from = 'MAIL FROM:<sender@example.com>'
const mail = Buffer.from('Subject: pressure\r\n\r\ntext\r\n')

const figure = async (name: string): Promise<number> => {
  const token = readFileSync(join(gateway.data, 'admin.token'), 'utf8').trim()
  const { text } = await ask('GET', '/metrics', { token })
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1) ?? 0)
}
const refusals = (kind: string) => figure(`sealpost_refusals_total{kind="${kind}"}`)

const journal = (at: string) => smtpClient(gateway.ports.smtp, { from: at })
let users = 0
const submitting = async (at: string) => {
  const client = await smtpClient(gateway.ports.submissions, { tls: true, from: at })
  const name = `sender-${++users}@example.com%localhost:${provider.port}%${mailboxId}`
  assert.match(await client.login(name, 'the password at the provider'), /^235 /)
  return client
}

/** Begins messages until one is put off: where a minute of the clock ends in between, the address has one more. */
const tooMany = async (client: SmtpClient) => {
  for (let begun = 0; ; begun += 1) {
    const reply = await client.command(from)
    if (!reply.startsWith('2') || begun > 4) return { reply, begun }
    await client.command('RSET')
  }
}

test('an address that begins too many messages within a minute is put off and counted; its session goes on, and others are taken', async () => {
  const client = await journal('127.3.1.1')
  assert.match(await client.deliver(address, mail), /^250 /)
  const before = await refusals('too-many-messages')
  assert.match((await tooMany(client)).reply, /^450 4\.7\.1 /)
  assert.is(await refusals('too-many-messages'), before + 1)
  assert.match(await client.command('NOOP'), /^250 /)
  const other = await journal('127.3.1.2')
  assert.match(await other.deliver(address, mail), /^250 /)
  for (const one of [client, other]) await one.quit()
})

test('a mail client that begins too many messages within a minute is put off and counted, and its provider is not asked', async () => {
  const client = await submitting('127.3.1.3')
  assert.match(await client.deliver('recipient@example.org', mail), /^250 /)
  const before = await refusals('too-many-messages')
  const { reply, begun } = await tooMany(client)
  assert.match(reply, /^450 4\.7\.1 /)
  assert.is(await refusals('too-many-messages'), before + 1)
  assert.is(provider.heard.filter((line) => line.startsWith('MAIL')).length, 1 + begun)
  await client.quit()
})

/** Each has sent of a message what is gathered before it is stored, short of a little, and then no more. */
const standingStill = async (count: number) => {
  const half = Buffer.from(`Subject: half\r\n\r\n${`${'x'.repeat(78)}\r\n`.repeat(3200)}`)
  return Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const client = await journal(`127.3.2.${at + 1}`)
      say('sender@example.com', address)
      for (const line of [from, `RCPT TO:<${address}>`, 'DATA']) assert.match(await client.command(line), /^[23]/)
      sayMail(half)
      client.wire.send(half)
      return client
    }),
  )
}

test('while messages that stand still fill the memory nobody begins one; when they go on or are gone, everybody may', async () => {
  const still = await standingStill(5)
  await until(async () => (await figure('sealpost_bytes_in_flight')) >= MiB, 'the memory is full')
  const client = await journal('127.3.3.1')
  const submitter = await submitting('127.3.3.2')
  const before = await refusals('bytes-in-flight')
  for (const one of [client, submitter]) assert.match(await one.command(from), /^450 4\.3\.2 /)
  assert.is(await refusals('bytes-in-flight'), before + 2)
  const [first, second, ...others] = still
  assert.match((await first?.command('.')) ?? '', /^250 /, 'what has begun goes on')
  await until(async () => (await figure('sealpost_bytes_in_flight')) < MiB, 'there is room again')
  assert.match(await client.deliver(address, mail), /^250 /)
  assert.match(await submitter.deliver('recipient@example.org', mail), /^250 /)
  assert.match((await second?.command('.')) ?? '', /^250 /)
  for (const one of others) one.wire.destroy()
  await until(async () => (await figure('sealpost_bytes_in_flight')) === 0, 'nothing is held of those who left')
  for (const one of [client, submitter]) await one.quit()
})

test('who was put off is in the log, by address', async () => {
  await gateway.stop()
  const counted = ofType(await logIn(gateway.data), 'RefusalsCounted').flatMap(({ data: { source, counts } }) =>
    Object.keys(counts).map((kind) => `${source} ${kind}`),
  )
  assert.equal([...new Set(counted)].toSorted(), [
    '127.3.1.1 too-many-messages',
    '127.3.1.3 too-many-messages',
    '127.3.3.1 bytes-in-flight',
    '127.3.3.2 bytes-in-flight',
  ])
})

test.run()
