import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { messageOf } from '../../projections/messages.ts'
import { viewReader } from '../../projections/projection.ts'
import { projections } from '../../projections/projections.ts'
import { fold } from '../../projections/runner.ts'
import { type Fact, stamper } from '../../src/core/events.ts'
import { type MailboxId, origin, type VaultKey, vaultKey } from '../../src/core/ids.ts'
import { type Append, type EventLog, systemClock } from '../../src/core/ports.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { createMailboxes } from '../../src/mailboxes.ts'
import { knownMailboxes } from '../../src/mailboxes/known.ts'
import { createRetention } from '../../src/retention.ts'
import { codeOf } from '../support/codeOf.ts'
import {
  arrived,
  created,
  deleted,
  held,
  purgeDecided,
  purged,
  relayRefused,
  retained,
  submitted,
  suspended,
  unheld,
  updated,
} from './projectionsFacts.ts'
import { append, byTest, emptyViews, type Given, mailboxId, messageId, steppingClock } from './projectionsGiven.ts'

const test = suite('retention')

type Setting = {
  readonly log?: EventLog
  readonly beforeAppend?: (append: Append, log: EventLog) => Promise<void>
  readonly remove?: (objects: readonly VaultKey[]) => Promise<void>
  /** Seconds past noon: the n-th event that was given is of n. */
  readonly now?: number
}

/** Messages are kept for 10 seconds after they have left the maildrop. */
const world = async (given: readonly Given[], setting: Setting = {}) => {
  const log = setting.log ?? memoryLog({ clock: steppingClock() })
  await append(log, given)
  const start = await log.head()
  const removed: VaultKey[] = []
  const destroyedIdentities: MailboxId[] = []
  const watched: EventLog = {
    ...log,
    append: async (one) => {
      await setting.beforeAppend?.(one, log)
      return log.append(one)
    },
  }
  const gateway = () => {
    const db = emptyViews()
    const reader = viewReader(db)
    const visible = async () => fold(db, projections, await log.readAll(origin, 100_000))
    const parts = {
      log: watched,
      stamp: stamper('test', () => new Date(0)),
      views: { visible, ...knownMailboxes(reader) },
    }
    const retention = createRetention({
      ...parts,
      views: { ...parts.views, reader },
      remove: async (objects) => {
        await setting.remove?.(objects)
        removed.push(...objects)
      },
      removeIdentities: (id) => Promise.resolve(void destroyedIdentities.push(id)),
      clock: { now: () => new Date(Date.UTC(2026, 0, 1, 12, 0, setting.now ?? 1000)) },
      grace: 10,
      cause: { principal: 'system', correlationId: 'run', causationId: 'run' },
    })
    const keys = { createIdentity: () => Promise.reject(new Error('no mailbox is made here')) }
    const views = { ...parts.views, allVisible: visible }
    const mailboxes = createMailboxes({ ...parts, views, keys, domain: 'gateway.example' })
    return { retention, mailboxes, reader, visible }
  }
  const facts = async () => (await log.readAll(start, 100_000)).map(({ type, data }) => ({ type, data }) as Fact)
  const types = async () => (await facts()).map(({ type }) => type)
  return { ...gateway(), gateway, log, removed, destroyedIdentities, facts, types }
}

const keyOf = (n: number) => vaultKey(messageId(n))
const deletedAtSix = [created(1), arrived(1, 1), arrived(2, 1), updated(1, 1)]

test('a deleted message is destroyed when its grace is over: decided, removed, recorded', async () => {
  const order: string[] = []
  const { retention, facts, removed } = await world(deletedAtSix, {
    now: 16,
    beforeAppend: ({ events }) => Promise.resolve(void order.push(...events.map(({ type }) => type))),
    remove: () => Promise.resolve(void order.push('removed')),
  })
  assert.is(await retention.sweep(), 1)
  assert.equal(removed, [keyOf(1)])
  assert.equal(order, ['PurgeDecided', 'removed', 'MessagePurged'])
  assert.equal(await facts(), [
    { type: 'PurgeDecided', data: { mailboxId: mailboxId(1), messageIds: [messageId(1)] } },
    { type: 'MessagePurged', data: { messageId: messageId(1), mailboxId: mailboxId(1) } },
  ])
  assert.is(await retention.sweep(), 0)
})

test('not a moment before, and nothing that is in the maildrop', async () => {
  const { retention, facts } = await world(deletedAtSix, { now: 15 })
  assert.is(await retention.sweep(), 0)
  assert.equal(await facts(), [])
})

test('a mailbox’s own grace holds in place of the configured one', async () => {
  const longer = await world([...deletedAtSix, retained(1, 11)], { now: 16 })
  assert.is(await longer.retention.sweep(), 0)
  const none = await world([...deletedAtSix, retained(1, 0)], { now: 6 })
  assert.is(await none.retention.sweep(), 1)
  const again = await world([...deletedAtSix, retained(1, 11), retained(1, null)], { now: 16 })
  assert.is(await again.retention.sweep(), 1)
})

test('under a hold nothing is destroyed, and after its release what is due', async () => {
  const underHold = await world([...deletedAtSix, held(1)])
  assert.is(await underHold.retention.sweep(), 0)
  assert.equal(await underHold.facts(), [])
  const free = await world([...deletedAtSix, held(1), unheld(1)])
  assert.is(await free.retention.sweep(), 1)
})

test('a hold that comes between the look and the decision wins', async () => {
  let placed = false
  const { retention, types, removed } = await world(deletedAtSix, {
    beforeAppend: async ({ events }, log) => {
      if (placed || events[0]?.type !== 'PurgeDecided') return
      placed = true
      await append(log, [held(1)])
    },
  })
  assert.is(await retention.sweep(), 0)
  assert.equal(await types(), ['HoldPlaced'])
  assert.equal(removed, [])
})

test('what was decided before a hold is destroyed', async () => {
  const { retention, removed } = await world([...deletedAtSix, purgeDecided(1, 1), held(1)])
  assert.is(await retention.sweep(), 1)
  assert.equal(removed, [keyOf(1)])
})

test('what an earlier run decided and did not do is done, whatever the time', async () => {
  const given = [created(1), arrived(1, 1), arrived(2, 1), updated(1, 1, 2), purgeDecided(1, 1, 2), purged(2, 1)]
  const { retention, removed, types } = await world(given, { now: 8 })
  assert.is(await retention.sweep(), 1)
  assert.equal(removed, [keyOf(1)])
  assert.equal(await types(), ['MessagePurged'])
})

test('a removal that fails leaves its message to the next sweep', async () => {
  let fails = true
  const { retention, types } = await world(deletedAtSix, {
    remove: () => (fails ? Promise.reject(new Error('the disk is away')) : Promise.resolve()),
  })
  assert.match(String(await retention.sweep().catch(String)), 'the disk is away')
  assert.equal(await types(), ['PurgeDecided'])
  fails = false
  assert.is(await retention.sweep(), 1)
  assert.equal(await types(), ['PurgeDecided', 'MessagePurged'])
})

test('a message is decided on and recorded once, by however many gateways that sweep at once', async () => {
  const many = Array.from({ length: 1200 }, (_, n) => n + 1)
  const given = [created(1), ...many.map((n) => arrived(n, 1)), updated(1, ...many)]
  const { gateway, facts } = await world(given, { now: 100_000 })
  await Promise.all([gateway(), gateway(), gateway()].map(({ retention }) => retention.sweep()))
  const decided: string[] = []
  const done: string[] = []
  for (const { type, data } of await facts()) {
    if (type === 'PurgeDecided') decided.push(...data.messageIds)
    if (type === 'MessagePurged') done.push(data.messageId)
  }
  const all = many.map(messageId).toSorted()
  assert.equal(decided.toSorted(), all)
  assert.equal(done.toSorted(), all)
})

const sqlite = () => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-retention-'))
  const log = sqliteLog({ file: join(dir, 'events.db'), clock: systemClock })
  return { log, close: () => log.close().then(() => rmSync(dir, { recursive: true })) }
}
const logs = { memory: () => ({ log: memoryLog({ clock: systemClock }), close: () => Promise.resolve() }), sqlite }

/** A log that says, from `watch` on, before each thing that is asked of it, the how manieth that is. */
const watching = (log: EventLog) => {
  let number = 0
  let act: (number: number) => void = () => undefined
  const asked = <A extends unknown[], R>(work: (...args: A) => R) =>
    function (...args: A): R {
      act(number++)
      return work(...args)
    }
  const watched: EventLog = {
    ...log,
    append: asked(log.append),
    readStream: asked(log.readStream),
    head: asked(log.head),
  }
  const watch = (by: (number: number) => void) => {
    number = 0
    act = by
  }
  return { watched, watch }
}

for (const [name, open] of Object.entries(logs))
  test(`of a hold and a purge at once one is first, and no decision stands after a hold (${name})`, async () => {
    const { log, close } = open()
    const administrator = (await world([], { log })).mailboxes
    const underHold = new Set<string>()
    const decided = new Set<string>()
    for (let round = 1; round <= 40; round++) {
      let placing: Promise<number> | undefined
      const place = () => (placing ??= administrator.hold({ mailboxId: mailboxId(round), cause: byTest }, 'lawsuit'))
      const { watched, watch } = watching(log)
      const given = [created(round), arrived(round, round), updated(round, round)]
      const { retention, facts } = await world(given, { log: watched, now: 100_000 })
      // The hold sets off at another step of the sweep in each round, and from then on both run.
      watch((number) => void (number === round % 8 && place()))
      await retention.sweep()
      await place()
      let held = false
      for (const { type, data } of await facts()) {
        if (type === 'HoldPlaced' && data.mailboxId === mailboxId(round)) held = true
        if (type === 'PurgeDecided') assert.not(held, 'decided under a hold')
        if (type === 'PurgeDecided') decided.add(data.mailboxId)
        if (type === 'MessagePurged') assert.ok(decided.has(data.mailboxId), 'destroyed without a decision')
      }
      if (!decided.has(mailboxId(round))) underHold.add(mailboxId(round))
    }
    assert.ok(underHold.size > 0, 'a hold was first')
    assert.ok(decided.size > 0, 'a purge was first')
    await close()
  })

// deleted mailboxes

test('what was of a deleted mailbox is destroyed at once, its identities last', async () => {
  const given = [created(1), arrived(1, 1), arrived(2, 1), updated(1, 1), submitted(3, 1), relayRefused(3, 1)]
  const order: string[] = []
  const { retention, removed, destroyedIdentities } = await world([...given, suspended(1), deleted(1)], {
    now: 13,
    beforeAppend: ({ events }) => Promise.resolve(void order.push(events[0]?.type ?? '')),
  })
  assert.is(await retention.sweep(), 3)
  assert.equal(removed.toSorted(), [keyOf(1), keyOf(2), keyOf(3)])
  assert.equal(destroyedIdentities, [mailboxId(1)])
  assert.equal(order, ['PurgeDecided', ...Array<string>(3).fill('MessagePurged'), 'MailboxDestroyed'])
  assert.is(await retention.sweep(), 0)
  assert.is(destroyedIdentities.length, 1)
})

test('mail that was on its way when its mailbox was deleted stays, and the identities with it, until it is deleted again', async () => {
  const given = [created(1), suspended(1), deleted(1), arrived(1, 1)]
  const { retention, types, log, destroyedIdentities } = await world(given)
  assert.is(await retention.sweep(), 0)
  assert.equal(await types(), [])
  await append(log, [deleted(1)])
  assert.is(await retention.sweep(), 1)
  assert.equal(await types(), ['MailboxDeleted', 'PurgeDecided', 'MessagePurged', 'MailboxDestroyed'])
  assert.equal(destroyedIdentities, [mailboxId(1)])
})

test('identities wait for a message that is on its way through the proxy', async () => {
  const given = [created(1), submitted(1, 1), suspended(1), deleted(1)]
  const { retention, types, destroyedIdentities } = await world(given)
  await retention.sweep()
  assert.equal([await types(), destroyedIdentities], [[], []])
})

// restore

test('a deleted message is restored to its maildrop, under a hold too', async () => {
  for (const more of [[], [held(1)]]) {
    const { retention, facts, reader } = await world([...deletedAtSix, ...more])
    await retention.restore({ mailboxId: mailboxId(1), messageId: messageId(1) }, byTest)
    assert.equal(await facts(), [
      { type: 'MessageRestored', data: { mailboxId: mailboxId(1), messageId: messageId(1) } },
    ])
    assert.is(messageOf(reader, messageId(1))?.state, 'retrievable')
    assert.is(await retention.sweep(), 0)
  }
})

test('a message that is in the maildrop stays there', async () => {
  const { retention, facts } = await world(deletedAtSix)
  await retention.restore({ mailboxId: mailboxId(1), messageId: messageId(2) }, byTest)
  assert.equal(await facts(), [])
})

test('a message is not restored once it has been decided to destroy it, nor when it never was in the maildrop', async () => {
  const given = [...deletedAtSix, purgeDecided(1, 1), submitted(3, 1), submitted(4, 1), relayRefused(4, 1)]
  const refusals = { 1: 'purge-decided', 3: 'message-not-relayed', 4: 'message-not-relayed', 5: 'message-unknown' }
  const { retention, facts } = await world(given)
  for (const [n, code] of Object.entries(refusals)) {
    const asked = retention.restore({ mailboxId: mailboxId(1), messageId: messageId(Number(n)) }, byTest)
    assert.is(await codeOf(asked), code)
  }
  assert.equal(await facts(), [])
})

test('a purge that comes between the look and the restoring wins', async () => {
  let raced = false
  const { retention, types } = await world(deletedAtSix, {
    beforeAppend: async ({ events }, log) => {
      if (raced || events[0]?.type !== 'MessageRestored') return
      raced = true
      await append(log, [purgeDecided(1, 1)])
    },
  })
  const asked = retention.restore({ mailboxId: mailboxId(1), messageId: messageId(1) }, byTest)
  assert.is(await codeOf(asked), 'purge-decided')
  assert.equal(await types(), ['PurgeDecided'])
})

test('a restoring that comes between the look and the decision wins', async () => {
  let raced = false
  const { retention, types } = await world(deletedAtSix, {
    beforeAppend: async ({ events }, log) => {
      if (raced || events[0]?.type !== 'PurgeDecided') return
      raced = true
      const data = { mailboxId: mailboxId(1), messageId: messageId(1) }
      await append(log, [[`mailbox-${mailboxId(1)}`, { type: 'MessageRestored', data }]])
    },
  })
  assert.is(await retention.sweep(), 0)
  assert.equal(await types(), ['MessageRestored'])
})

test.run()
