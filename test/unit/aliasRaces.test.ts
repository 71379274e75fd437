import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { asGatewayError } from '../../src/core/errors.ts'
import { stamper } from '../../src/core/events.ts'
import { type MailboxId, origin } from '../../src/core/ids.ts'
import type { EventLog } from '../../src/core/ports.ts'
import { Secret } from '../../src/core/secret.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { createMailboxes, type Mailboxes } from '../../src/mailboxes.ts'
import { inEveryOrder } from '../support/interleavings.ts'
import { created } from './projectionsFacts.ts'
import { append, byTest, mailboxId, steppingClock } from './projectionsGiven.ts'

// Two gateways share a log, and each knows nothing of the other but what the log says.

const test = suite('races for an address')

type Turn = () => Promise<void>

const gateway = (log: EventLog, turn: Turn): Mailboxes =>
  createMailboxes({
    log: {
      head: () => log.head(),
      append: (one) => turn().then(() => log.append(one)),
      readStream: (...of) => turn().then(() => log.readStream(...of)),
    },
    stamp: stamper('test', () => new Date(0)),
    keys: {
      createIdentity: () =>
        Promise.resolve({
          generation: 1,
          recipient: 'age1made',
          password: new Secret('hush'),
          identitySha256: 'ef'.repeat(32),
          recoverySha256: undefined,
          written: [],
        }),
    },
    views: {
      visible: () => Promise.resolve(),
      allVisible: () => Promise.resolve(),
      mailboxAsOf: () => undefined,
      aliasesOf: () => [],
      undrained: () => 0,
      createdUnder: () => undefined,
    },
    domain: 'gateway.example',
  })

/** What a gateway is asked for; resolves with the mailbox that has the addresses then. */
type Wish = (mailboxes: Mailboxes, aliases: readonly string[]) => Promise<MailboxId>
const creation: Wish = async (mailboxes, aliases) =>
  (await mailboxes.create({ name: 'Archive', aliases, cause: byTest })).mailboxId
const addition =
  (n: number): Wish =>
  async (mailboxes, add) => {
    await mailboxes.changeAliases({ mailboxId: mailboxId(n), cause: byTest }, { add, remove: [] })
    return mailboxId(n)
  }

type Outcome = { readonly aliases: readonly string[]; readonly holder: MailboxId | undefined }
type World = { readonly log: EventLog; readonly outcomes: Outcome[] }

const pairOf =
  (...wants: readonly [Wish, readonly string[]][]) =>
  async () => {
    const log = memoryLog({ clock: steppingClock() })
    await append(log, [created(1), created(2)])
    const outcomes: Outcome[] = []
    const walker =
      ([wish, aliases]: readonly [Wish, readonly string[]]) =>
      async (turn: Turn) => {
        const holder = await wish(gateway(log, turn), aliases).catch((error: unknown) => {
          assert.is(asGatewayError(error).code, 'alias-taken')
          return undefined
        })
        outcomes.push({ aliases, holder })
      }
    const [one, other] = wants.map(walker)
    assert.ok(one && other)
    return { world: { log, outcomes }, walkers: [one, other] as const }
  }

const holdersIn = async (log: EventLog) => {
  const holders = new Map<string, MailboxId>()
  for (const { type, data } of await log.readAll(origin, 1000)) {
    if (type === 'AliasReserved') holders.set(data.alias, data.mailboxId)
    if (type === 'AliasReleased') holders.delete(data.alias)
  }
  return holders
}

const whoIsToldHasIt = async ({ log, outcomes }: World) => {
  const holders = await holdersIn(log)
  assert.is(outcomes.length, 2)
  for (const { aliases, holder } of outcomes)
    if (holder) for (const alias of aliases) assert.is(holders.get(alias), holder)
  const served = outcomes.flatMap(({ holder, aliases }) => (holder ? aliases : []))
  assert.equal([...holders.keys()].toSorted(), served.toSorted(), 'who was refused has given everything back')
}

const one = ['a@example.org']

test('of two creations at two gateways for one address, in whatever order, exactly one is told that it has it', async () => {
  const orders = await inEveryOrder(pairOf([creation, one], [creation, one]), async (world) => {
    await whoIsToldHasIt(world)
    assert.is(world.outcomes.filter(({ holder }) => holder).length, 1)
  })
  assert.ok(orders > 100, `${orders} orders`)
})

test('the same of a creation and of a mailbox that gains the address', async () => {
  const orders = await inEveryOrder(pairOf([creation, one], [addition(1), one]), async (world) => {
    await whoIsToldHasIt(world)
    assert.is(world.outcomes.filter(({ holder }) => holder).length, 1)
  })
  assert.ok(orders > 100, `${orders} orders`)
})

test('the same of two mailboxes that gain it', async () => {
  await inEveryOrder(pairOf([addition(1), one], [addition(2), one]), async (world) => {
    await whoIsToldHasIt(world)
    assert.is(world.outcomes.filter(({ holder }) => holder).length, 1)
  })
})

test.run()
