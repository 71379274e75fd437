import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { environment, freePorts, scratchEnv } from '../../ops/scratchGateway.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { eventsOf, messagesOf, withoutTrace } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { type StoreDoubleProcess, storeDoubleProcess } from '../support/storeDoubleProcess.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { openWire } from '../support/wire.ts'
import { until } from '../support/until.ts'

// A gateway whose log is in EventStoreDB, or rather in a double of its protocol, in a process that is killed.

const main = join(import.meta.dirname, '../../src/main.ts')
const over = (url: string) => ({ SEALPOST_LOG_ENGINE: 'eventstoredb', SEALPOST_LOG_URL: url })

const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

const firstLine = async (port: number, tls = false) => {
  const wire = await openWire(port, { tls })
  const line = await wire.line()
  await wire.closed()
  wire.destroy()
  return line
}

const get = async (port: number, path: string) => {
  const sent = request({ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false }).end()
  const [response] = (await once(sent, 'response')) as unknown as readonly [IncomingMessage]
  response.resume()
  return response
}

const mailOf = (name: string) => Buffer.from(`X-Mail: ${name}\r\nSubject: store\r\n\r\n${name}\r\n`)
const nameIn = (mail: Buffer) => /^X-Mail: (\S+)/.exec(mail.toString('latin1'))?.[1] ?? ''

test('a start without the store waits, says so, puts every peer off, and serves by itself once the store is there', async () => {
  const store = await storeDoubleProcess({ started: false })
  const ports = await freePorts()
  const starting = startTestGateway({ ports, env: over(store.url) })
  starting.catch(() => undefined)
  await until(() => isOpen(ports.smtp), 'somebody answers')
  assert.match(await firstLine(ports.smtp), /^421 4\.3\.0 gateway\.test /)
  assert.match(await firstLine(ports.smtps, true), /^421 4\.3\.0 gateway\.test /)
  assert.match(await firstLine(ports.pop3), /^-ERR \[SYS\/TEMP\] /)
  assert.match(await firstLine(ports.pop3s, true), /^-ERR \[SYS\/TEMP\] /)
  const answer = await get(ports.admin, '/v1/mailboxes')
  assert.is(answer.statusCode, 503)
  assert.ok(Number(answer.headers['retry-after']) > 0)

  await store.start()
  const gateway = await starting
  assert.match(gateway.output(), /The event log cannot be reached\. Waiting for it/)
  assert.match(gateway.output(), /The event log is there/)
  const { address } = await gateway.createMailbox('--name', 'late')
  const sender = await smtpClient(ports.smtp)
  assert.match(await sender.deliver(address, mailOf('one')), /^250 /)
  await sender.quit()
  assert.is(await gateway.stop(), 0)
  gateway.remove()
  await store.remove()
})

test('a gateway that waits for its store stops when it is told to', async () => {
  const data = mkdtempSync(join(tmpdir(), 'sealpost-waiting-'))
  const ports = await freePorts()
  const url = `esdb://127.0.0.1:${(await freePorts()).smtp}?tls=false`
  const env = { ...environment(), ...scratchEnv(data, ports), ...over(url) }
  const child = spawn(process.execPath, [main, 'serve'], { cwd: data, env, stdio: 'ignore' })
  await until(() => isOpen(ports.smtp), 'somebody answers')
  child.kill('SIGTERM')
  const [code] = (await once(child, 'exit')) as unknown as readonly [number | null]
  assert.is(code, 0)
  rmSync(data, { recursive: true })
})

/** A start on a store that ends in the middle of it: what peers hear meanwhile, and whether it serves in the end. */
const startAcross = async (data: string | undefined, store: StoreDoubleProcess) => {
  const ports = await freePorts()
  const starting = startTestGateway({
    ...(data === undefined ? {} : { data }),
    ports,
    env: over(store.url),
    within: 120_000,
  })
  starting.catch(() => undefined)
  await until(() => isOpen(ports.smtp), 'somebody answers')
  assert.match(await firstLine(ports.smtp), /^421 4\.3\.0 gateway\.test /)
  await store.start()
  const gateway = await starting
  const client = await smtpClient(ports.smtp)
  await client.quit()
  return gateway
}

test('a store that goes at any moment of a start is waited for, with somebody there who says so', async () => {
  const store = await storeDoubleProcess()
  store.arm({ is: 'killed' }) // at the first append: that of the name
  const first = await startAcross(undefined, store)
  await first.createMailbox('--name', 'kept')
  assert.is(await first.stop(), 0)
  store.arm({ is: 'killed' }) // at GatewayStarted
  const second = await startAcross(first.data, store)
  assert.is(await second.stop(), 0)
  for (const read of [1, 3]) {
    await store.start({ diesAtRead: read })
    const next = await startAcross(first.data, store)
    assert.match(await next.command('mailbox', 'list'), /kept/)
    assert.is(await next.stop(), 0)
  }
  first.remove()
  await store.remove()
})

test('a start that waits in its middle for the store stops when it is told to', async () => {
  const store = await storeDoubleProcess()
  const before = await startTestGateway({ env: over(store.url) })
  assert.is(await before.stop(), 0)
  for (const read of [3]) {
    await store.start({ diesAtRead: read })
    const ports = await freePorts()
    const env = { ...environment(), ...scratchEnv(before.data, ports), ...over(store.url) }
    const child = spawn(process.execPath, [main, 'serve'], { cwd: before.data, env, stdio: 'ignore' })
    await until(() => isOpen(ports.smtp), 'somebody answers')
    child.kill('SIGTERM')
    const [code] = (await once(child, 'exit')) as unknown as readonly [number | null]
    assert.is(code, 0)
  }
  before.remove()
  await store.remove()
})

test('a store that is killed under load loses no acknowledged mail; meanwhile peers are put off, and it goes on by itself', async () => {
  const store = await storeDoubleProcess()
  const gateway = await startTestGateway({ env: over(store.url) })
  const { address, mailboxId, password } = await gateway.createMailbox('--name', 'load')
  const acknowledged = new Set<string>()
  let isOver = false
  const send = async (label: number) => {
    const client = await smtpClient(gateway.ports.smtp)
    for (let number = 0; !isOver; number++) {
      const name = `${label}-${number}`
      const reply = await client.deliver(address, mailOf(name))
      if (reply.startsWith('250 ')) acknowledged.add(name)
      else assert.match(reply, /^4/, name)
      if (!reply.startsWith('250 ')) await delay(20)
    }
    await client.quit()
  }
  const sending = Promise.all(Array.from({ length: 6 }, (_, label) => send(label)))
  for (let round = 0; round < 3; round++) {
    await delay(200)
    if (round === 1) store.arm({ is: 'killed' })
    await delay(20)
    await store.kill()
    await delay(300)
    await store.start()
  }

  await delay(200)
  await store.kill()
  await until(async () => (await get(gateway.ports.admin, '/readyz')).statusCode === 503, 'the API says so')
  const stranger = await smtpClient(gateway.ports.smtp)
  assert.match(await stranger.deliver(address.replace(/^mbx-./, 'mbx-z'), mailOf('nobody')), /^4/)
  await stranger.quit()
  const archive = await pop3Client(gateway.ports.pop3s)
  assert.match(await archive.login(mailboxId, password), /^-ERR \[SYS\/TEMP\]/)
  await archive.quit()
  const refused = await gateway.createMailbox('--name', 'never').then(
    () => 'created',
    (error: unknown) => String(error),
  )
  assert.match(refused, /try again later/)
  await store.start()
  await until(async () => (await get(gateway.ports.admin, '/readyz')).statusCode === 200, 'it goes on')
  const before = acknowledged.size
  await until(() => acknowledged.size > before, 'mail is taken again')
  isOver = true
  await sending

  const collector = await pop3Client(gateway.ports.pop3s)
  assert.match(await collector.login(mailboxId, password), /^\+OK/)
  const count = Number((await collector.command('STAT')).split(' ')[1])
  const found = new Map<string, number>()
  for (let number = 1; number <= count; number++) {
    const name = nameIn(withoutTrace(await collector.retrieve(number)))
    found.set(name, (found.get(name) ?? 0) + 1)
  }
  await collector.quit()
  assert.equal(
    [...acknowledged].filter((name) => found.get(name) !== 1),
    [],
    'acknowledged, and not there exactly once',
  )
  assert.is((await messagesOf(gateway, mailboxId)).length, count)
  assert.is((await eventsOf(gateway, '--type', 'GatewayStarted')).length, 1)

  // What the store has is enough: the views are made again from it.
  assert.is(await gateway.stop(), 0)
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(gateway.data, `views.db${suffix}`), { force: true })
  const again = await startTestGateway({ data: gateway.data, ports: gateway.ports, env: over(store.url) })
  assert.is((await messagesOf(again, mailboxId)).length, count)
  await again.stop()
  assert.match(await again.command('fsck'), /All that the log says is so\./)
  again.remove()
  await store.remove()
})

test.run()
