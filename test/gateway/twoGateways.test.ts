import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ScratchGateway } from '../../ops/scratchGateway.ts'
import { apiOf } from '../support/apiClient.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { withoutTrace } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { storeDoubleProcess } from '../support/storeDoubleProcess.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { until } from '../support/until.ts'

// Two gateways, each in a process of its own, on one log (a double of EventStoreDB's protocol), one vault and one key store.

const lease = 5
/** What others wait after a lease's end, and some for starting and polling. */
const margin = 5
const slack = 20

const shared = mkdtempSync(join(tmpdir(), 'sealpost-shared-'))
const store = await storeDoubleProcess()
const start = (node: string, data?: string) =>
  startTestGateway({
    ...(data === undefined ? {} : { data }),
    env: {
      SEALPOST_GATEWAY_NODE: node,
      SEALPOST_LOG_ENGINE: 'eventstoredb',
      SEALPOST_LOG_URL: store.url,
      SEALPOST_VAULT_ENGINE: 'files',
      SEALPOST_VAULT_DIR: join(shared, 'vault'),
      SEALPOST_KEYS_DIR: join(shared, 'keys'),
      SEALPOST_LIMITS_MAILDROP_LEASE: String(lease),
    },
  })

/** Each test has mailboxes of its own; who kills one starts it again. */
let one = await start('gw-1')
const other = await start('gw-2')
const startAgain = async () => {
  one = await start('gw-1', one.data)
}

test.after(async () => {
  for (const gateway of [one, other]) {
    await gateway.kill()
    gateway.remove()
  }
  await store.remove()
  rmSync(shared, { recursive: true })
})

const mailOf = (name: string) =>
  Buffer.from(`X-Mail: ${name}\r\nSubject: two\r\n\r\n${`line of ${name}\r\n`.repeat(50)}`)
const nameIn = (mail: Buffer) => /^X-Mail: (\S+)/.exec(mail.toString('latin1'))?.[1] ?? ''

const deliver = async (gateway: ScratchGateway, address: string, name: string) => {
  const client = await smtpClient(gateway.ports.smtp)
  const reply = await client.deliver(address, mailOf(name))
  await client.quit()
  return reply
}

const login = async (gateway: ScratchGateway, user: string, password: string) => {
  const client = await pop3Client(gateway.ports.pop3s)
  return { client, greeting: await client.login(user, password) }
}

const countOf = (stat: string) => Number(stat.split(' ')[1])

test('either receives, either hands out, and each sees at once what the other acknowledged', async () => {
  const { address, mailboxId, password } = await one.createMailbox('--name', 'shared')
  assert.match(await deliver(other, address, 'by-the-other'), /^250 /)
  assert.match(await deliver(one, address, 'by-one'), /^250 /)

  const uidls: string[] = []
  for (const gateway of [one, other]) {
    const { client, greeting } = await login(gateway, mailboxId, password)
    assert.match(greeting, /^\+OK/)
    assert.is(countOf(await client.command('STAT')), 2)
    const names = [nameIn(withoutTrace(await client.retrieve(1))), nameIn(withoutTrace(await client.retrieve(2)))]
    assert.equal(names.toSorted(), ['by-one', 'by-the-other'])
    uidls.push(`${await client.command('UIDL 1')} ${await client.command('UIDL 2')}`)
    if (gateway === other) await client.command('DELE 1')
    await client.quit()
  }
  assert.is(uidls[0], uidls[1])
  const { client } = await login(one, mailboxId, password)
  assert.is(countOf(await client.command('STAT')), 1)
  await client.quit()
})

test('what one asks of senders and whom it gives a token the other knows', async () => {
  const { address, mailboxId } = await one.createMailbox('--name', 'policed')
  const issued = await one.command('sender', 'issue', '--mailbox', mailboxId, '--json')
  const { senderId, token } = JSON.parse(issued) as { readonly senderId: string; readonly token: string }
  await one.command('mailbox', 'sender-policy', mailboxId, '--require', 'token')
  const client = await smtpClient(other.ports.smtps, { tls: true })
  // Not at once: when the other's views show it.
  const refusal = () =>
    until(async () => {
      const answer = await client.deliver(address, mailOf('early'))
      return !answer.startsWith('250 ') && answer
    })
  assert.match(await refusal(), /^450 4\.7\.0 /)
  await client.command('RSET')
  assert.match(await client.login(senderId, token), /^235 /)
  assert.match(await client.deliver(address, mailOf('with')), /^250 /)
  await one.command('sender', 'revoke', senderId)
  await refusal()
  await client.command('RSET')
  assert.match(await client.deliver(address, mailOf('later')), /^450 4\.7\.1 /)
  await client.quit()
})

test('a maildrop that is held at one is in use at the other until it is given back', async () => {
  const { mailboxId, password } = await other.createMailbox('--name', 'held')
  const holder = await login(one, mailboxId, password)
  assert.match(holder.greeting, /^\+OK/)
  const second = await login(other, mailboxId, password)
  assert.match(second.greeting, /^-ERR \[IN-USE\]/)
  // Longer than a lease: it is renewed while the session lasts.
  await delay((lease + 1) * 1000)
  const third = await login(other, mailboxId, password)
  assert.match(third.greeting, /^-ERR \[IN-USE\]/)
  await holder.client.quit()
  const givenBackAt = performance.now()
  for (const { client } of [second, third]) await client.quit()
  await until(async () => {
    const { client, greeting } = await login(other, mailboxId, password)
    await client.quit()
    return greeting.startsWith('+OK')
  })
  // One that is not given back stands for others at least so long after its last renewal.
  assert.ok(performance.now() - givenBackAt < ((lease * 2) / 3 + margin) * 1000, 'it was given back')
})

test('a token that one issues works at the other, and within five seconds no more once it is revoked', async () => {
  const printed = await one.command('token', 'issue', '--role', 'auditor', '--json')
  const { tokenId, token } = JSON.parse(printed) as { readonly tokenId: string; readonly token: string }
  const asked = async (gateway: ScratchGateway) => (await apiOf(gateway)('GET', '/v1/mailboxes', { token })).status
  assert.equal([await asked(one), await asked(other)], [200, 200])
  await one.command('token', 'revoke', tokenId)
  const revokedAt = performance.now()
  assert.is(await asked(one), 401)
  while ((await asked(other)) === 200) {
    assert.ok(performance.now() - revokedAt < 15_000, 'it still works elsewhere')
    await delay(100)
  }
  assert.is(await asked(other), 401)
})

test('one is killed under load: no acknowledged mail is lost, none is there under two ids, its maildrop is free in bounded time', async () => {
  const { address, mailboxId, password } = await one.createMailbox('--name', 'killed')
  assert.match(await deliver(one, address, 'first'), /^250 /)
  const holder = await login(one, mailboxId, password)
  assert.match(holder.greeting, /^\+OK/)
  await holder.client.command('DELE 1')

  const acknowledged = new Set<string>(['first'])
  let isOver = false
  const send = async (gateway: ScratchGateway, label: string) => {
    const client = await smtpClient(gateway.ports.smtp)
    for (let number = 0; !isOver; number++) {
      const name = `${label}-${number}`
      if ((await client.deliver(address, mailOf(name))).startsWith('250 ')) acknowledged.add(name)
    }
    await client.quit()
  }
  const senders = [one, other].flatMap((gateway, index) =>
    [1, 2, 3].map((label) => send(gateway, `${index}-${label}`).catch(() => undefined)),
  )
  const more = async (count: number) => {
    for (const wanted = acknowledged.size + count; acknowledged.size < wanted;) await delay(10)
  }
  await more(60)
  await one.kill()
  const killedAt = performance.now()
  await more(20)
  isOver = true
  await Promise.all(senders)

  let greeting = ''
  let collector = await login(other, mailboxId, password)
  while (!(greeting = collector.greeting).startsWith('+OK')) {
    assert.match(greeting, /^-ERR \[IN-USE\]/)
    assert.ok(performance.now() - killedAt < (lease + margin + slack) * 1000, 'the maildrop is free in bounded time')
    await collector.client.quit()
    await delay(500)
    collector = await login(other, mailboxId, password)
  }
  const { client } = collector
  const count = countOf(await client.command('STAT'))
  const found = new Map<string, number>()
  const ids = new Set<string>()
  for (let number = 1; number <= count; number++) {
    const name = nameIn(withoutTrace(await client.retrieve(number)))
    found.set(name, (found.get(name) ?? 0) + 1)
    ids.add((await client.command(`UIDL ${number}`)).split(' ')[2] ?? '')
  }
  const wrong = [...acknowledged].filter((name) => found.get(name) !== 1)
  assert.equal(wrong, [], 'acknowledged, and not there exactly once')
  assert.is(ids.size, count)
  await client.quit()

  // What it left: the killed one starts again on the same directory and sees the same.
  await startAgain()
  const last = await login(one, mailboxId, password)
  assert.is(countOf(await last.client.command('STAT')), count)
  await last.client.quit()
})

test('a name belongs to one data directory, unless it is taken over', async () => {
  const { mailboxId, password } = await one.createMailbox('--name', 'named')
  const holder = await login(one, mailboxId, password)
  const refused = await start('gw-1').then(
    () => 'started',
    (error: unknown) => String(error),
  )
  assert.match(refused, /The name gw-1 .* belongs to another data directory .* start it once with --take-over/)
  assert.match(await holder.client.command('STAT'), /^\+OK 0 0/)
  await one.kill()
  await startAgain()
  assert.match((await login(one, mailboxId, password)).greeting, /^\+OK/, 'a lease of its own earlier life')
})

test.run()
