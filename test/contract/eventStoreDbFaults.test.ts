import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { GatewayError } from '../../src/core/errors.ts'
import type { Recorded } from '../../src/core/events.ts'
import { newCommandId, origin } from '../../src/core/ids.ts'
import type { EventLog, Expected } from '../../src/core/ports.ts'
import { readCategories } from '../../src/log/byCategory.ts'
import { eventStoreDbLog } from '../../src/log/eventStoreDb.ts'
import type { Patience } from '../../src/log/eventStoreDbAppend.ts'
import { storeClient } from '../../src/log/eventStoreDbClient.ts'
import { scratchStore, type ScratchStore } from '../support/scratchStore.ts'
import type { StoreDoubleOptions } from '../support/storeDouble.ts'
import type { Fault } from '../support/storeDoubleFaults.ts'
import { until } from '../support/until.ts'
import { appendOf, everything, failure, numberIn } from './eventLogContract.ts'

const test = suite("EventStoreDB's protocol, over a double of it, when things go wrong")

/** For what is not about deadlines: no machine is so slow that it meets one. */
const patient: Patience = { request: 20_000, append: 30_000, unsent: 30_000, pause: 10 }
/** What was not answered is soon asked again. */
const hurried: Patience = { ...patient, request: 150 }
/** Between an attempt and the next, others have time for what they do. */
const steady: Patience = { ...patient, request: 2_000 }
/** What cannot be sent is soon given up. */
const fickle: Patience = { ...patient, unsent: 300 }
/** What was sent is soon given up. */
const short: Patience = { ...patient, append: 1_500 }

type Given = { readonly store: ScratchStore; readonly log: EventLog; readonly states: readonly (string | undefined)[] }

const given = (
  title: string,
  body: (given: Given) => Promise<void>,
  { patience = patient, ...options }: Partial<StoreDoubleOptions> & { readonly patience?: Patience } = {},
) =>
  test(title, async () => {
    const store = await scratchStore(options)
    const states: (string | undefined)[] = []
    const log = eventStoreDbLog({ url: store.url, patience, onState: (state) => states.push(state) })
    try {
      await body({ store, log, states })
    } finally {
      await log.close()
      await store.remove()
    }
  })

const faults: Readonly<Record<string, Fault>> = {
  'committed and never answered': { is: 'silent' },
  'committed and answered after the deadline': { is: 'late', after: 220 },
  'committed and answered with UNAVAILABLE': { is: 'unavailable', committed: true },
  'not committed and answered with UNAVAILABLE': { is: 'unavailable', committed: false },
  'neither committed nor answered': { is: 'swallowed' },
}

for (const [what, fault] of Object.entries(faults))
  given(
    `an append that is ${what} is written once and answered rightly, whatever revision it expects`,
    async ({ store, log: reader }) => {
      const log = eventStoreDbLog({ url: store.url, patience: hurried })
      await log.append(appendOf('gateway-a', 'no-stream', [0]))
      const cases: readonly (readonly [`gateway-${string}`, Expected, number])[] = [
        ['gateway-b', 'no-stream', 1],
        ['gateway-a', 0, 2],
        ['gateway-a', 'any', 4],
        ['gateway-c', 'any', 1],
      ]
      for (const [stream, expected, revision] of cases) {
        store.double().arm(fault)
        const append = appendOf(stream, expected, [1, 2])
        const appended = await log.append(append)
        assert.is(appended.revision, revision)
        assert.is(appended.position, (await reader.readStream(stream, revision, 1))[0]?.position)
        assert.equal(await log.append(append), appended)
      }
      // What was answered late has been answered by now.
      if (fault.is === 'late') await delay(fault.after)
      assert.equal((await everything(reader)).map(numberIn), [0, 1, 2, 1, 2, 1, 2, 1, 2])
      await log.close()
    },
  )

/** Another writer, connected already. */
const another = async ({ url }: ScratchStore) => {
  const log = eventStoreDbLog({ url, patience: patient })
  await log.head()
  return log
}

given(
  'what another writer wrote at the expected revision meanwhile is a conflict, not taken for our own',
  async ({ store, log }) => {
    await log.append(appendOf('gateway-a', 'no-stream', [0]))
    const other = await another(store)
    store.double().arm({ is: 'swallowed' })
    const ours = failure(log.append(appendOf('gateway-a', 0, [1])))
    await until(() => store.double().armed() === 0)
    await other.append(appendOf('gateway-a', 0, [2]))
    assert.is(await ours, 'revision-conflict')
    assert.equal((await everything(other)).map(numberIn), [0, 2])
    await other.close()
  },
  { patience: steady },
)

const repeated = async ({ store, log }: Given) => {
  const other = await another(store)
  store.double().arm({ is: 'silent' })
  const ours = log.append(appendOf('gateway-a', 'any', [1, 2]))
  await until(() => store.double().armed() === 0)
  for (let n = 0; n < 700; n += 100) await other.append(appendOf('gateway-a', 'any', Array<number>(100).fill(9)))
  assert.is((await ours).revision, 1)
  assert.is((await everything(other)).length, 702)
  await other.close()
}
given('a repeat at any revision finds its events behind those of others', repeated, { patience: steady })

given(
  'an append whose outcome stays open says so, and a repeat of the command settles it',
  async ({ store, log }) => {
    for (const expected of ['any', 'no-stream'] as const) {
      const append = appendOf(`gateway-${expected}`, expected, [1])
      store.double().arm({ is: 'silent' })
      const outcome = failure(log.append(append))
      // A read-back would be answered.
      await until(() => store.double().armed() === 0)
      await store.stop()
      assert.is(await outcome, 'outcome-unknown')
      assert.is(await failure(log.append(append)), 'outcome-unknown')
      await store.start()
      await until(async () => (await failure(log.append(append))) === 'none')
      assert.is((await log.append(append)).revision, 0)
      assert.is((await log.readStream(`gateway-${expected}`, 0, 10)).length, 1)
    }
  },
  { patience: short },
)

given(
  'while the store is away appends are refused unsent and soon at once; when it is back they succeed by themselves',
  async ({ store, log }) => {
    await log.append(appendOf('gateway-a', 'any', [1]))
    await store.stop()
    // An append that is sent just as the connection breaks may or may not arrive.
    assert.is(await failure(log.head()), 'storage-failed')
    assert.is(await failure(log.append(appendOf('gateway-a', 'any', [2]))), 'not-written')
    const atOnce = failure(log.append(appendOf('gateway-a', 'any', [3])))
    assert.is(await Promise.race([atOnce, delay(fickle.unsent / 3, 'late')]), 'not-written')
    await store.start()
    await until(async () => (await failure(log.append(appendOf('gateway-a', 'any', [4])))) === 'none')
    assert.equal((await everything(log)).map(numberIn), [1, 4])
  },
  { patience: fickle },
)

given('a store that was never there is found once it comes', async ({ store }) => {
  await store.stop()
  const log = eventStoreDbLog({ url: store.url, patience: fickle })
  assert.is(await failure(log.head()), 'storage-failed')
  assert.is(await failure(log.append(appendOf('gateway-a', 'any', [1]))), 'not-written')
  await store.start()
  await until(async () => (await failure(log.append(appendOf('gateway-a', 'any', [2])))) === 'none')
  await log.close()
})

given('a node that is not the leader sends the append to the one that is', async ({ store, log }) => {
  const leader = await scratchStore()
  await log.head()
  store.double().arm({ is: 'not-leader', port: leader.double().port })
  await log.append(appendOf('gateway-a', 'no-stream', [1]))
  assert.is(leader.double().calls('Append'), 1)
  assert.equal((await everything(log)).map(numberIn), [1])
  await leader.remove()
})

test('what decides is read at the leader: a follower that lags is not believed', async () => {
  const leader = await scratchStore()
  const leading = eventStoreDbLog({ url: leader.url })
  await leading.append(appendOf('gateway-a', 'no-stream', [1]))
  const reads: Readonly<Record<string, (log: EventLog) => Promise<unknown>>> = {
    readStream: async (log) => (await log.readStream('gateway-a', 0, 10)).length,
    readLast: async (log) => ((await log.readLast('gateway-a')) === undefined ? 0 : 1),
    readAll: async (log) => (await log.readAll(origin, 10)).length,
    head: async (log) => ((await log.head()) === origin ? 0 : 1),
  }
  for (const [name, read] of Object.entries(reads)) {
    const follower = await scratchStore({ follows: leader.double().port })
    const log = eventStoreDbLog({ url: follower.url })
    assert.is(await read(log), 1, name)
    await log.close()
    await follower.remove()
  }
  await leading.close()
  await leader.remove()
})

given(
  'a subscription that is dropped midway goes on where it was, without gap or duplicate',
  async ({ store, log, states }) => {
    const seen: Recorded[] = []
    const subscription = log.subscribe(
      origin,
      (events) => void seen.push(...events),
      (error) => assert.unreachable(String(error)),
    )
    for (let n = 0; n < 40; n++) {
      await log.append(appendOf(`gateway-${n % 3}`, 'any', [n, n, n]))
      if (n % 10 === 5) store.double().dropSubscriptions()
      if (n === 21) {
        await store.stop()
        await store.start()
      }
    }
    const all = await everything(log)
    await until(() => seen.length >= all.length)
    assert.equal(
      seen.map(({ position }) => position),
      all.map(({ position }) => position),
    )
    assert.ok(states.some((state) => state?.startsWith('the event store cannot be reached')))
    assert.is(states.at(-1), undefined)
    await subscription.close()
  },
)

given(
  'a subscription that found nothing of ours in a long stretch does not go through it again',
  async ({ store, log }) => {
    const foreign = storeClient(store.url)
    const event = () => ({ id: newCommandId(), type: 'Foreign', data: {}, metadata: {} })
    const subscription = log.subscribe(
      origin,
      () => {},
      (error) => assert.unreachable(String(error)),
    )
    for (let n = 0; n < 12; n++)
      await foreign.append({
        stream: 'foreign-1',
        expected: 'any',
        within: patient.request,
        events: Array.from({ length: 100 }, event),
      })
    const begunBehind = () => store.double().subscribedFrom().at(-1) ?? 0
    await until(async () => {
      store.double().dropSubscriptions()
      await delay(200)
      return begunBehind() > 0
    }, 'a subscription that begins behind what was looked through')
    await subscription.close()
    await foreign.close()
  },
)

given(
  'an append that is over the limit is not sent, and one that the store finds too large is not written',
  async ({ store, log }) => {
    const large = Array.from({ length: 5_000 }, (_, n) => n)
    assert.is(await failure(log.append(appendOf('gateway-a', 'any', large))), 'not-written')
    assert.is(store.double().calls('Append'), 0)
    assert.is(await failure(log.append(appendOf('gateway-a', 'any', large.slice(0, 200)))), 'not-written')
    assert.is((await log.append(appendOf('gateway-a', 'no-stream', [1]))).revision, 0)
  },
  { maxAppendSize: 20_000 },
)

for (const batchAppend of [true, false])
  given(
    `a store ${batchAppend ? 'with' : 'without'} BatchAppend gets one call for each append`,
    async ({ store, log }) => {
      await Promise.all(Array.from({ length: 20 }, (_, n) => log.append(appendOf(`gateway-${n}`, 'no-stream', [n]))))
      assert.equal([store.double().calls('Append'), store.double().calls('BatchAppend')], [20, 0])
    },
    { batchAppend },
  )

given('a stream that was tombstoned takes no event, and its neighbours do', async ({ store, log }) => {
  await log.append(appendOf('gateway-a', 'any', [1]))
  store.double().tombstone('gateway-a')
  assert.is(await failure(log.append(appendOf('gateway-a', 'any', [2]))), 'not-written')
  assert.is(await failure(log.append(appendOf('gateway-b', 'any', [3]))), 'none')
})

given('an event among ours that this version does not know is never passed over', async ({ store, log }) => {
  await log.append(appendOf('gateway-a', 'any', [1]))
  const foreign = storeClient(store.url)
  await foreign.append({
    stream: 'gateway-b',
    expected: 'any',
    within: patient.request,
    events: [{ id: newCommandId(), type: 'Unheard', data: {}, metadata: { version: 1 } }],
  })
  await foreign.close()
  const ends: unknown[] = []
  log.subscribe(
    origin,
    () => {},
    (error) => ends.push(error),
  )
  assert.is(await failure(log.readAll(origin, 10)), 'event-unreadable')
  await until(() => ends.length > 0)
  assert.is((ends[0] as GatewayError).code, 'event-unreadable')
})

given(
  'what the mailboxes are is read beyond an event of something else that cannot be read',
  async ({ store, log }) => {
    await log.append(appendOf('mailbox-a', 'any', [1]))
    const foreign = storeClient(store.url)
    const unheard = (stream: string) =>
      foreign.append({
        stream,
        expected: 'any',
        within: patient.request,
        events: [{ id: newCommandId(), type: 'Unheard', data: {}, metadata: { version: 1 } }],
      })
    await unheard('message-b')
    await log.append(appendOf('alias-c', 'any', [2, 3]))
    const to = await log.head()
    await log.append(appendOf('mailbox-a', 'any', [4]))
    const wanted = { categories: ['alias', 'mailbox'], after: origin, to, limit: 100 } as const
    const found = await readCategories(log, wanted)
    assert.equal(found.map(numberIn), [1, 2, 3])
    const rest = await readCategories(log, { ...wanted, after: found[0]?.position ?? origin })
    assert.equal(rest.map(numberIn), [2, 3])
    assert.equal((await readCategories(log, { ...wanted, limit: 2 })).map(numberIn), [1, 2])
    await unheard('mailbox-d')
    const end = await log.head()
    assert.equal((await readCategories(log, { ...wanted, to: end })).map(numberIn), [1, 2, 3, 4])
    const beyond = { ...wanted, after: (await log.readLast('mailbox-a'))?.position ?? origin, to: end }
    assert.is(await failure(readCategories(log, beyond)), 'event-unreadable')
    await foreign.close()
  },
)

given(
  'a store that does not let us read $all is a clear error, of the head and of subscriptions',
  async ({ log }) => {
    const ends: unknown[] = []
    log.subscribe(
      origin,
      () => {},
      (error) => ends.push(error),
    )
    assert.is(await failure(log.head()), 'start-refused')
    await log.head().catch((error: unknown) => assert.match((error as Error).message, /may the user read \$all/))
    await until(() => ends.length > 0)
    assert.is((ends[0] as GatewayError).code, 'start-refused')
  },
  { mayReadAll: false },
)

test.run()
