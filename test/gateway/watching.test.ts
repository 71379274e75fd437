import { readFileSync, renameSync } from 'node:fs'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { outputOf } from '../peers/program.ts'
import { peerTest } from '../support/peers.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { until } from '../support/until.ts'

const test = suite('watching')
const gateway = await startTestGateway()
test.after(async () => {
  await gateway.stop()
  gateway.remove()
})

const get = async (path: string, headers: Record<string, string> = {}) => {
  const options = {
    host: '127.0.0.1',
    port: gateway.ports.admin,
    path,
    headers,
    rejectUnauthorized: false,
    agent: false,
  }
  const [response] = (await once(request(options).end(), 'response')) as unknown as readonly [IncomingMessage]
  return { status: response.statusCode, body: await text(response) }
}
const token = () => readFileSync(join(gateway.data, 'admin.token'), 'utf8').trim()
const metrics = async () => (await get('/metrics', { authorization: `Bearer ${token()}` })).body
const figure = async (name: string) => {
  const line = (await metrics()).split('\n').find((one) => one.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1))
}

type Readiness = { readonly checks: readonly { name: string; ok: boolean; detail: string }[] }
const readyz = async () => {
  const { status, body } = await get('/readyz')
  return { status, checks: (JSON.parse(body) as Readiness).checks }
}
/** Of a slow machine a check may say for a moment that it was not answered. */
const untilReadyz = async (is: (answer: Awaited<ReturnType<typeof readyz>>) => boolean) => {
  let said = ''
  const look = async () => {
    const answer = await readyz()
    said = JSON.stringify(answer)
    return is(answer) && answer
  }
  return until(look, () => said)
}

test('a gateway is alive and ready without being asked for a token, and keeps its metrics to those who have it', async () => {
  assert.equal((await get('/healthz')).status, 200)
  await untilReadyz(({ status }) => status === 200)
  assert.is(await get('/metrics').then((answer) => answer.status), 401)
})

test('a received mail, a refused recipient and an open session are in the metrics, and nothing that names anybody', async () => {
  const { address, mailboxId } = await gateway.createMailbox('--name', 'Watched', '--alias', 'watched@example.com')
  const client = await smtpClient(gateway.ports.smtp)
  const mail = Buffer.from('Subject: watched\r\n\r\nbody\r\n')
  const before = await figure('sealpost_received_bytes_total')
  assert.match(await client.deliver(address, mail), /^250/)
  assert.match(await client.deliver('nobody@example.com', mail), /^550/)
  assert.is(await figure('sealpost_messages_received_total'), 1)
  assert.ok(((await figure('sealpost_received_bytes_total')) ?? 0) - (before ?? 0) > mail.length)
  assert.is(await figure('sealpost_acknowledge_seconds_count'), 1)
  assert.is(await figure('sealpost_refusals_total{kind="relay"}'), 1)
  // One is an event of its own, the other counted only; from two addresses, because one would have to wait.
  for (const [user, from] of [
    [mailboxId, '127.0.0.2'],
    ['nobody', '127.0.0.3'],
  ] as const) {
    const guesser = await pop3Client(gateway.ports.pop3s, { from })
    assert.match(await guesser.login(user, 'guessed'), /^-ERR \[AUTH\]/)
    await guesser.quit()
  }
  assert.is(await figure('sealpost_refusals_total{kind="wrong-password"}'), 2)
  assert.is(await figure('sealpost_sessions{protocol="smtp"}'), 1)
  await until(async () => ((await figure('sealpost_undrained_age_seconds')) ?? 0) > 0)
  assert.ok(((await figure('sealpost_stored_bytes{what="log"}')) ?? 0) > 0)
  await client.quit()
  const said = await metrics()
  for (const word of ['example.com', 'mbx-', '127.0.0.1', 'Watched', gateway.data])
    assert.not(said.includes(word), word)
})

test('a vault that is not there any more makes the gateway not ready, without a word of where it lay', async () => {
  const vault = join(gateway.data, 'vault')
  renameSync(vault, `${vault}-away`)
  const { status, checks } = await untilReadyz((answer) =>
    answer.checks.some(({ name, detail }) => name === 'vault' && detail.includes('is its file system mounted')),
  ).finally(() => renameSync(`${vault}-away`, vault))
  assert.is(status, 503)
  assert.not(JSON.stringify(checks).includes(gateway.data))
})

peerTest(test, ['promtool'], 'promtool finds nothing to complain about in the metrics', async () => {
  await outputOf('promtool', ['check', 'metrics'], { input: await metrics() })
})

test.run()
