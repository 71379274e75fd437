import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createArchive } from '../../src/archive.ts'
import type { Fact } from '../../src/core/events.ts'
import { type MailboxId, newCommandId, newMessageId, vaultKey } from '../../src/core/ids.ts'
import { systemClock, type Vault } from '../../src/core/ports.ts'
import { mailboxStream, messageStream } from '../../src/core/streams.ts'
import { check } from '../../src/fsck.ts'
import { createIdentity } from '../../src/keys/identities.ts'
import { keyFiles } from '../../src/keys/keyFiles.ts'
import { packs } from '../../src/vault/packs.ts'
import { bodyOf, namesOf, scratchParts } from '../support/scratchParts.ts'

/** One mailbox with its identity and two messages, a small one and a large one. */
const given = async () => {
  const parts = await scratchParts()
  const keys = keyFiles({ dir: parts.dir })
  const [small, large] = [parts.delivery(), parts.delivery()]
  const { mailboxId, recipient } = small
  const { identitySha256 } = await createIdentity(keys, { mailboxId, generation: 1 })
  const cause = { principal: 'system', correlationId: 'test', causationId: 'test' } as const
  const data = { mailboxId, name: 'fsck', aliases: [], recipient, generation: 1, identitySha256 }
  const fact: Fact = { type: 'MailboxCreated', data }
  const events = [parts.stamp(fact, cause)]
  await parts.log.append({ stream: mailboxStream(mailboxId), expected: 'no-stream', commandId: newCommandId(), events })
  const archive = createArchive(parts)
  await archive.receive(small, bodyOf('hello'))
  await archive.receive(large, bodyOf(Buffer.alloc(500_000, 'large')))
  const run = (options: { readonly repair?: boolean; readonly days?: number; readonly vault?: Vault } = {}) => {
    const now = () => new Date(systemClock.now().getTime() + (options.days ?? 0) * 86_400_000)
    const { repair = false, vault = parts.vault } = options
    return check({ log: parts.log, vault, keys, clock: { now }, repair, progress: () => undefined })
  }
  return { ...parts, keys, small, large, mailboxId, run }
}

test('fsck finds nothing where everything is as the log says', async () => {
  const { run, close } = await given()
  assert.equal(await run(), { problems: [], leftovers: [], removed: 0, messages: 2, objects: 2 })
  await close()
})

test('fsck names a missing object and a changed one', async () => {
  const { run, close, vault, small, large } = await given()
  await vault.remove(vaultKey(small.messageId))
  await vault.remove(vaultKey(large.messageId))
  const writer = await vault.create(vaultKey(large.messageId))
  await writer.write(Buffer.from('something else'))
  await writer.commit()
  const { problems } = await run()
  assert.is(problems.length, 2)
  assert.ok(problems.some((text) => text.includes(small.messageId) && text.includes('missing')))
  assert.ok(problems.some((text) => text.includes(large.messageId) && text.includes('not the one')))
  await close()
})

test('fsck names an identity that is missing', async () => {
  const { run, close, keys, mailboxId } = await given()
  await keys.remove(`mailboxes/${mailboxId satisfies MailboxId}/1.age`)
  const { problems } = await run()
  assert.is(problems.length, 1)
  assert.match(problems[0] ?? '', /identity of generation 1/)
  await close()
})

test('an object without events is a leftover, and is removed only by --repair and only when it is older than a day', async () => {
  const { run, close, vault } = await given()
  const orphan = vaultKey(newMessageId())
  const writer = await vault.create(orphan)
  await writer.write(Buffer.from('interrupted'))
  await writer.commit()
  const objects = async () => (await namesOf(vault.list(''))).length
  assert.is((await run({ repair: true })).removed, 0)
  assert.is((await run({ days: 2 })).leftovers.length, 1)
  assert.is(await objects(), 3)
  const repaired = await run({ repair: true, days: 2 })
  assert.equal([repaired.removed, repaired.problems], [1, []])
  assert.is(await objects(), 2)
  await close()
})

/** Events about the small message's end. */
const ended = async (
  { log, stamp, small, mailboxId }: Awaited<ReturnType<typeof given>>,
  ...types: readonly ('PurgeDecided' | 'MessagePurged')[]
) => {
  const cause = { principal: 'system', correlationId: 'test', causationId: 'test' } as const
  const { messageId } = small
  for (const type of types) {
    const [stream, fact] =
      type === 'PurgeDecided'
        ? ([mailboxStream(mailboxId), { type, data: { mailboxId, messageIds: [messageId] } }] as const)
        : ([messageStream(messageId), { type, data: { messageId, mailboxId } }] as const)
    await log.append({ stream, expected: 'any', commandId: newCommandId(), events: [stamp(fact, cause)] })
  }
}

test('of a message that was destroyed its object is missed by nobody', async () => {
  const world = await given()
  await ended(world, 'PurgeDecided', 'MessagePurged')
  await world.vault.remove(vaultKey(world.small.messageId))
  assert.equal(await world.run(), { problems: [], leftovers: [], removed: 0, messages: 1, objects: 1 })
  await world.close()
})

test('while a message is being destroyed its object may be there, or not', async () => {
  const world = await given()
  await ended(world, 'PurgeDecided')
  assert.equal((await world.run()).problems, [])
  await world.vault.remove(vaultKey(world.small.messageId))
  assert.equal((await world.run()).problems, [])
  await world.close()
})

test('an object that remains of a destroyed message is a leftover, which --repair removes at once', async () => {
  const world = await given()
  await ended(world, 'PurgeDecided', 'MessagePurged')
  const { problems, leftovers } = await world.run()
  assert.equal(problems, [])
  assert.match(leftovers.join(), 'its message was destroyed (--repair removes it)')
  assert.is((await world.run({ repair: true })).removed, 1)
  assert.equal(await world.run(), { problems: [], leftovers: [], removed: 0, messages: 1, objects: 1 })
  await world.close()
})

test('of a destroyed mailbox the identity is missed by nobody, and one that is there is a leftover', async () => {
  const world = await given()
  const { log, stamp, mailboxId, keys } = world
  const cause = { principal: 'system', correlationId: 'test', causationId: 'test' } as const
  const happened = async (fact: Fact) => {
    const events = [stamp(fact, cause)]
    await log.append({ stream: mailboxStream(mailboxId), expected: 'any', commandId: newCommandId(), events })
  }
  await happened({ type: 'MailboxDeleted', data: { mailboxId, reason: 'gone', through: await log.head() } })
  assert.equal((await world.run()).leftovers, [])
  await happened({ type: 'MailboxDestroyed', data: { mailboxId } })
  assert.match((await world.run()).leftovers.join(), 'its identity is there (--repair removes it)')
  assert.is((await world.run({ repair: true })).removed, 1)
  assert.equal(await keys.list('mailboxes/'), [])
  const { problems, leftovers } = await world.run()
  assert.equal([problems, leftovers], [[], []])
  await world.close()
})

test('a message that was destroyed without a decision is a problem', async () => {
  const world = await given()
  await ended(world, 'MessagePurged')
  assert.match((await world.run()).problems.join(), 'without a decision')
  await world.close()
})

test('a pack that is no database is reported, with the messages that cannot be read for it', async () => {
  const { run, close, vault, dir, small } = await given()
  await vault.close()
  const [pack = ''] = readdirSync(join(dir, 'packs')).filter((name) => name.endsWith('.db'))
  writeFileSync(join(dir, 'packs', pack), 'this is no database any more. '.repeat(1000))
  const damaged = packs({ dir })
  const { problems, messages } = await run({ vault: damaged })
  assert.is(messages, 2)
  assert.match(problems[0] ?? '', /vault cannot be listed/)
  assert.ok(problems.some((text) => text.includes(small.messageId)))
  await damaged.close()
  await close()
})

test.run()
