import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import type { MailboxId } from '../../src/core/ids.ts'
import { guessingGuard } from '../../src/keys/guessingGuard.ts'
import { openProxies, type ProxiedMailbox, type ProxiesParts } from '../../src/proxy/connect.ts'
import type { Wanted } from '../../src/proxy/dial.ts'
import { codeOf } from '../support/codeOf.ts'

const test = suite('admission of mail clients')

const mailbox: ProxiedMailbox = {
  mailboxId: 'mbx-0123456789abcdef0123456789abcdef' as MailboxId,
  recipient: 'age1',
  generation: 1,
  state: 'active',
  proxy: { targets: [], networks: [] },
}
const name = 'anna@example.com%pop.example.net%journal@example.com'

type World = {
  readonly now?: () => Date
  readonly settings?: Partial<ProxiesParts['settings']>
  readonly found?: ProxiedMailbox
}

const world = ({ now = () => new Date(0), settings, found = mailbox }: World = {}) => {
  const dialled: Wanted[] = []
  const refusals: string[] = []
  const proxies = openProxies({
    settings: { targets: ['*.example.net'], connections: 3, connectionsPerClient: 2, ...settings },
    dial: (wanted) => {
      dialled.push(wanted)
      return Promise.reject(new GatewayError('proxy-unreachable'))
    },
    resolve: (name) => (name === 'journal@example.com' ? found : undefined),
    guard: guessingGuard({ now }),
    refused: (source, kind) => void refusals.push(`${source} ${kind}`),
  })
  const admit = (typed = name, remoteAddress = '192.0.2.1', service: 'smtp' | 'pop3' = 'pop3') =>
    proxies.admit({ name: typed, remoteAddress, service })
  const refusal = (...client: Parameters<typeof admit>) => codeOf(admit(...client))
  return { proxies, admit, refusal, dialled, refusals }
}

test('who names a mailbox and a server that is listed may dial its ports', async () => {
  const { admit, dialled, proxies } = world()
  assert.ok(proxies.on)
  const admitted = await admit()
  assert.equal([admitted.user, admitted.target], ['anna@example.com', { server: 'pop.example.net', port: undefined }])
  assert.is(admitted.mailbox, mailbox)
  const { signal } = new AbortController()
  await admitted.dial(signal).catch(() => undefined)
  await (await admit(name, '192.0.2.1', 'smtp')).dial(signal).catch(() => undefined)
  assert.equal(
    dialled.map(({ server, ports }) => [server, ...ports.map(({ port }) => port)]),
    [
      ['pop.example.net', 995, 110],
      ['pop.example.net', 465, 587],
    ],
  )
})

test('of the usual ports only those are dialled that are listed', async () => {
  const { admit, dialled } = world({ settings: { targets: ['pop.example.net:995'] } })
  await (await admit()).dial(new AbortController().signal).catch(() => undefined)
  assert.equal(dialled[0]?.ports, [{ port: 995, tls: 'implicit' }])
})

for (const [typed, code, setting = {}] of [
  [name, 'proxy-off', { settings: { targets: [] } }],
  ['anna@example.com', 'proxy-name'],
  ['anna%pop.example.net', 'proxy-name'],
  ['anna\r\nQUIT%pop.example.net%journal@example.com', 'proxy-name'],
  ['anna%pop.example.net%nobody@example.com', 'proxy-mailbox'],
  [name, 'mailbox-suspended', { found: { ...mailbox, state: 'suspended' } }],
  ['anna%pop.example.com%journal@example.com', 'proxy-target'],
  ['anna%pop.example.net:22%journal@example.com', 'proxy-target'],
  ['anna%127.0.0.1%journal@example.com', 'proxy-target'],
] as const)
  test(`${JSON.stringify(typed)} is refused as ${code}, counted, and nothing is dialled`, async () => {
    const { refusal, dialled, refusals } = world(setting)
    assert.is(await refusal(typed), code)
    assert.equal([dialled, refusals], [[], [`192.0.2.1 ${code}`]])
  })

test('there is room for so many connections in all and of one client address, and for more once they are over', async () => {
  const { admit, refusal } = world()
  const [first, second] = [await admit(), await admit(name, '::ffff:192.0.2.1')]
  assert.is(await refusal(), 'proxy-busy')
  const third = await admit(name, '192.0.2.2')
  assert.is(await refusal(name, '192.0.2.3'), 'proxy-busy')
  second.release()
  second.release()
  const fourth = await admit()
  assert.is(await refusal(), 'proxy-busy')
  for (const admitted of [first, third, fourth]) admitted.release()
  assert.is(await refusal(), undefined)
})

test("a mailbox's own limits hold beside those of all", async () => {
  const proxy = { targets: ['pop.example.net:995', 'pop.example.com'], networks: ['192.0.2.0/24', '2001:db8::/32'] }
  const { admit, refusal, dialled } = world({
    found: { ...mailbox, proxy },
    settings: { connectionsPerClient: 9, connections: 9 },
  })
  await (await admit()).dial(new AbortController().signal).catch(() => undefined)
  assert.equal(
    dialled[0]?.ports.map(({ port }) => port),
    [995],
  )
  for (const address of ['192.0.2.1', '::ffff:192.0.2.9', '2001:db8::1'])
    assert.is(await refusal(name, address), undefined)
  for (const address of ['198.51.100.1', '::1', '', '2001:db9::1'])
    assert.is(await refusal(name, address), 'proxy-client')
  assert.is(await refusal('anna%smtp.example.net%journal@example.com'), 'proxy-target')
  assert.is(await refusal('anna%pop.example.com%journal@example.com'), 'proxy-target')
})

test('who guesses is made to wait before anything is dialled, by whatever mailbox and port', async () => {
  let time = 0
  const { admit, refusal, refusals } = world({ now: () => new Date(time) })
  const failing = async (typed = name) => {
    const admitted = await admit(typed)
    admitted.failed()
    admitted.release()
  }
  await failing()
  assert.is(await refusal(), 'too-many-attempts')
  assert.is(await refusal('anna@example.com%pop.example.net:110%journal@example.com', '192.0.2.2'), 'too-many-attempts')
  time += 1000
  await failing()
  time += 1000
  assert.is(await refusal(), 'too-many-attempts')
  assert.equal(refusals.filter((one) => one.endsWith('proxy-login')).length, 2)
})

test('a client that is made to wait, or gives up, takes no room', async () => {
  const { admit, refusal } = world({ settings: { connections: 1 } })
  const admitted = await admit()
  admitted.failed()
  admitted.release()
  assert.is(await refusal(), 'too-many-attempts')
  assert.is(await refusal('otto@example.com%pop.example.net%journal@example.com', '192.0.2.2'), undefined)
})

test('a server that cannot be reached is counted and is no failed login', async () => {
  const { admit, refusals, refusal } = world()
  const admitted = await admit()
  await admitted.dial(new AbortController().signal).catch(() => undefined)
  admitted.release()
  assert.equal(refusals, ['192.0.2.1 proxy-unreachable'])
  assert.is(await refusal(), undefined)
})

test.run()
