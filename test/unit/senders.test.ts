import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type MailboxId, origin, type SenderId } from '../../src/core/ids.ts'
import { Secret } from '../../src/core/secret.ts'
import { codeOf } from '../support/codeOf.ts'
import { memorySenders } from '../support/memorySenders.ts'

const here = `mbx-${'1'.repeat(32)}` as MailboxId
const elsewhere = `mbx-${'2'.repeat(32)}` as MailboxId
const source = '192.0.2.7'
const wrong = new Secret('sealpost_sender_wrong')

const issued = async (world: ReturnType<typeof memorySenders>, mailboxes: readonly MailboxId[] | null = null) =>
  world.senders.issue({ name: 'mail server', mailboxes }, world.cause)

test('a token is 256 random bits, its digest lies in the key store before its event, and neither holds it', async () => {
  const world = memorySenders()
  const { senderId, token } = await issued(world, [here])
  assert.match(token.reveal(), /^sealpost_sender_[\w\-]{43}$/)
  assert.match(senderId, /^snd-[0-9a-f]{16}$/)
  const [event] = await world.log.readAll(origin, 10)
  const data = { senderId, name: 'mail server', mailboxes: [here] }
  assert.equal([event?.type, event?.data, event?.metadata.principal], ['SenderTokenIssued', data, 'administrator:anna'])
  const kept = [...world.store.values].map(([name, value]) => `${name} ${Buffer.from(value).toString()}`).join()
  assert.match(kept, new RegExp(`^senders/${senderId}\\.json {"sha256":"[0-9a-f]{64}"}\n$`))
  assert.not.ok(`${kept}${JSON.stringify(event)}`.includes(token.reveal()))
  world.close()
})

test('a sender is known by his name with his token, and by nothing else', async () => {
  const world = memorySenders()
  const [one, other] = [await issued(world), await issued(world)]
  assert.is(await world.senders.authenticate({ name: one.senderId, token: one.token, source }), one.senderId)
  for (const [name, token] of [
    [one.senderId, other.token],
    [one.senderId, new Secret(one.token.reveal().slice(0, -1))],
    ['snd-0000000000000000', one.token],
    [`${one.senderId}/../${other.senderId}`, other.token],
    ['', one.token],
  ] as const) {
    const source = `192.0.2.${world.refusals.length}`
    assert.is(await codeOf(world.senders.authenticate({ name, token, source })), 'password-wrong', name)
  }
  assert.is(world.refusals.length, 5)
  assert.ok(world.refusals.every((one) => one.endsWith(' sender-token')))
  world.close()
})

test('a token is for its mailboxes and no other, or for all', async () => {
  const world = memorySenders()
  const [some, all] = [await issued(world, [here]), await issued(world)]
  const may = (sender: SenderId) => [here, elsewhere].map((mailboxId) => world.senders.maySend(sender, mailboxId))
  assert.equal([may(some.senderId), may(all.senderId)], [[true, false], [true, true]]) // prettier-ignore
  assert.not.ok(world.senders.maySend('snd-0000000000000000' as SenderId, here))
  world.close()
})

test('a revoked token opens nothing any more, and he who has shown it sends nothing more', async () => {
  const world = memorySenders()
  const { senderId, token } = await issued(world)
  assert.ok(world.senders.offered())
  await world.senders.revoke(senderId, world.cause)
  assert.not.ok(world.senders.offered())
  assert.not.ok(world.senders.maySend(senderId, here))
  assert.is(await codeOf(world.senders.authenticate({ name: senderId, token, source })), 'password-wrong')
  assert.equal([...world.store.values.keys()], [])
  const last = (await world.log.readAll(origin, 10)).at(-1)
  assert.equal([last?.type, last?.data, last?.metadata.principal], ['SenderTokenRevoked', { senderId }, 'administrator:anna']) // prettier-ignore
  for (const unknown of [senderId, 'snd-0000000000000000', '../tokens'])
    assert.is(await codeOf(world.senders.revoke(unknown, world.cause)), 'sender-unknown')
  world.close()
})

test('the list tells who there is, the oldest first, and when a token was used last', async () => {
  const world = memorySenders()
  const [one, other] = [await issued(world, [here]), await issued(world)]
  await world.senders.authenticate({ name: other.senderId, token: other.token, source })
  const list = await world.senders.list()
  assert.equal(list.map(({ senderId, mailboxes, lastUsed }) => [senderId, mailboxes, lastUsed !== undefined]), [
    [one.senderId, [here], false],
    [other.senderId, null, true],
  ]) // prettier-ignore
  assert.not.ok(JSON.stringify(list).includes('sealpost_'))
  world.close()
})

test('who guesses has to wait longer and longer, and keeps nobody out who has the token, not even at his own address', async () => {
  let now = 1_800_000_000_000
  const world = memorySenders({ clock: { now: () => new Date(now) } })
  const { senderId, token } = await issued(world)
  const guess = async () => String(await codeOf(world.senders.authenticate({ name: senderId, token: wrong, source })))
  const found: string[] = []
  for (let second = 0; second < 60; second++) {
    found.push(await guess())
    now += 1000
  }
  assert.ok(found.filter((code) => code === 'password-wrong').length <= 8, found.join())
  assert.ok(found.filter((code) => code === 'too-many-attempts').length >= 52)
  assert.is(await guess(), 'too-many-attempts')
  assert.is(await world.senders.authenticate({ name: senderId, token, source }), senderId)
  assert.equal([...new Set(world.refusals)].toSorted(), [`${source} sender-token`, `${source} too-many-attempts`])
  world.close()
})

test('where others issue tokens too, one is refused only after a look at the log', async () => {
  let follows = false
  const world = memorySenders({ follow: () => follows, current: () => world.catchUp() })
  const { senderId, token } = await issued(world)
  follows = true
  assert.not.ok(world.senders.offered())
  assert.is(await world.senders.authenticate({ name: senderId, token, source }), senderId)
  world.close()
})

test('while the views are being built nobody is refused for good', async () => {
  const world = memorySenders({ complete: () => false })
  assert.ok(world.senders.offered())
  const attempt = { name: 'snd-0000000000000000', token: wrong, source }
  assert.is(await codeOf(world.senders.authenticate(attempt)), 'storage-failed')
  assert.equal(world.refusals, [])
  world.close()
})

test.run()
