import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openAccess } from '../../src/access/openAccess.ts'
import { type Cause, stamper } from '../../src/core/events.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { codeOf } from '../support/codeOf.ts'
import { memoryKeys } from '../support/memoryKeys.ts'

const test = suite('access')
const minute = 60_000
const cause: Cause = { principal: 'local:root', correlationId: randomUUID(), causationId: randomUUID() }

/** Gateways that share a log and keys. */
const gateways = () => {
  let at = Date.parse('2026-03-01T10:00:00Z')
  const clock = { now: () => new Date(at) }
  const { keys, values } = memoryKeys()
  const shared = { log: memoryLog({ clock }), keys, clock }
  const quiet = () => undefined
  const open = (node: string) =>
    openAccess({
      ...shared,
      stamp: stamper(node, () => clock.now()),
      logger: { info: quiet, warn: quiet, error: quiet },
      refused: quiet,
      firstPasswordFile: '/nonexistent/admin.password',
    })
  const kept = () => [...values.values()].map((value) => Buffer.from(value).toString()).join('\n')
  return { one: open('one'), other: open('other'), pass: (milliseconds: number) => void (at += milliseconds), kept }
}

const request = { name: undefined, role: 'auditor', mailboxes: null, expiresAfter: undefined } as const

test('a token that one gateway has revoked works at another for five seconds at most', async () => {
  const { one, other, pass } = gateways()
  const { secret, tokenId } = await one.tokens.issue(request, cause)
  const shown = secret.reveal()
  assert.is((await other.tokens.whoHas(shown))?.principal, `token:${tokenId}`)
  await one.tokens.revoke(tokenId, cause)
  assert.is(await one.tokens.whoHas(shown), undefined)
  pass(5000)
  assert.is(await other.tokens.whoHas(shown), undefined)
})

test('a token works until its end, and not then', async () => {
  const { one, pass } = gateways()
  const { secret } = await one.tokens.issue({ ...request, expiresAfter: 60 }, cause)
  pass(minute - 1)
  assert.ok(await one.tokens.whoHas(secret.reveal()))
  pass(1)
  assert.is(await one.tokens.whoHas(secret.reveal()), undefined)
})

test('a token is known by all of its digits', async () => {
  const { one } = gateways()
  const [first, second] = [await one.tokens.issue(request, cause), await one.tokens.issue(request, cause)]
  const mixed = first.secret.reveal().slice(0, 26) + second.secret.reveal().slice(26)
  assert.is(await one.tokens.whoHas(mixed), undefined)
})

test('the key store keeps an argon2id hash of a password and a digest of a token, and neither as it is', async () => {
  const { one, kept } = gateways()
  const [{ secret }, { password }] = [
    await one.tokens.issue(request, cause),
    await one.administrators.add({ name: 'hester', role: 'auditor' }, new Date('2026-03-02T10:00:00Z'), cause),
  ]
  assert.match(kept(), /argon2id/)
  assert.match(kept(), /"sha256":"[0-9a-f]{64}"/)
  for (const shown of [secret.reveal(), secret.reveal().slice(26), password.reveal()])
    assert.not(kept().includes(shown))
})

const anna = async ({ one, other }: ReturnType<typeof gateways>) => {
  await one.administrators.add({ name: 'anna', role: 'admin' }, one.oneTimeUntil(), cause)
  const administrator = await other.administrators.of('anna')
  if (!administrator) throw new Error('nobody')
  return { administrator, cookie: other.sessions.open(administrator).reveal() }
}

test('a session ends within five seconds of a new password, or a removal, at another gateway', async () => {
  for (const change of ['reset', 'remove'] as const) {
    const both = gateways()
    const { one, other, pass } = both
    const { cookie } = await anna(both)
    assert.ok(await other.sessions.whoHas(cookie))
    if (change === 'reset') await one.administrators.reset('anna', one.oneTimeUntil(), cause)
    else await one.administrators.remove('anna', cause)
    pass(5000)
    assert.is(await other.sessions.whoHas(cookie), undefined, change)
  }
})

test('a session ends after half an hour without a request, and after twelve hours in any case', async () => {
  const both = gateways()
  const { other, pass } = both
  const { administrator, cookie } = await anna(both)
  pass(30 * minute)
  assert.is(await other.sessions.whoHas(cookie), undefined)

  const again = other.sessions.open(administrator).reveal()
  for (let time = 0; time < 12 * 60 - 20; time += 20) {
    pass(20 * minute)
    assert.ok(await other.sessions.whoHas(again), `${time + 20} minutes`)
  }
  pass(20 * minute)
  assert.is(await other.sessions.whoHas(again), undefined)
})

test('a password that was given out works for a week', async () => {
  const { one, pass } = gateways()
  const { password } = await one.administrators.add({ name: 'anna', role: 'admin' }, one.oneTimeUntil(), cause)
  const login = () => one.login({ name: 'anna', password, source: '192.0.2.1' })
  pass(7 * 24 * 60 * minute - 1)
  assert.is((await login()).name, 'anna')
  pass(1)
  assert.is(await codeOf(login()), 'password-expired')
})

test.run()
