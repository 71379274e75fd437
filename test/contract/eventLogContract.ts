import fc from 'fast-check'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { type NewEvent, type Recorded, stamper } from '../../src/core/events.ts'
import { type CommandId, eventId, newCommandId, origin, type Position } from '../../src/core/ids.ts'
import type { Append, Appended, EventLog, Expected } from '../../src/core/ports.ts'
import type { StreamName } from '../../src/core/streams.ts'
import { until } from '../support/until.ts'

/** A fresh, empty log. `reopen` closes it and opens what it left behind; `close` also removes that. */
export type LogUnderTest = {
  readonly log: EventLog
  readonly reopen?: () => Promise<EventLog> | EventLog
  readonly close: () => Promise<void>
}

const stamp = stamper('node-1', () => new Date())

/** An event that carries a number, to be recognised by. */
export const numbered = (n: number): NewEvent =>
  stamp(
    { type: 'RefusalsCounted', data: { source: '192.0.2.1', minute: '2025-01-01T00:00:00.000Z', counts: { n } } },
    { principal: 'system', correlationId: 'test', causationId: 'test' },
  )

export const numberIn = (event: Recorded): number =>
  event.type === 'RefusalsCounted' ? (event.data.counts['n'] ?? -1) : -1

export const appendOf = (
  stream: StreamName,
  expected: Expected,
  numbers: readonly number[],
  commandId: CommandId = newCommandId(),
): Append => ({ stream, expected, commandId, events: numbers.map(numbered) })

/** The code of the failure that a promise rejects with; `none` when it resolves. */
export const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof GatewayError ? error.code : `no code: ${String(error)}`),
  )

/** Everything in the log, read in pages of `limit`. */
export const everything = async (
  log: EventLog,
  limit = 1_000,
  after: Position = origin,
): Promise<readonly Recorded[]> => {
  const events: Recorded[] = []
  for (;;) {
    const page = await log.readAll(events.at(-1)?.position ?? after, limit)
    if (page.length === 0) return events
    events.push(...page)
  }
}

const failed = (error: unknown) => {
  throw error
}

/** The promises of the `EventLog` port, for every adapter alike; `outlives` its process, or not. */
export const eventLogContract = (
  name: string,
  factory: () => Promise<LogUnderTest> | LogUnderTest,
  { outlives = true }: { readonly outlives?: boolean } = {},
) => {
  const test = suite(`event log: ${name}`)
  const given = (title: string, body: (log: EventLog, under: LogUnderTest) => Promise<void>) =>
    test(title, async () => {
      const under = await factory()
      try {
        await body(under.log, under)
      } finally {
        await under.close()
      }
    })

  appending(given)
  repeating(given)
  racing(given)
  reading(given)
  refusing(given)
  following(given)
  if (outlives) reopening(given)
  test.run()
}

type Given = (title: string, body: (log: EventLog, under: LogUnderTest) => Promise<void>) => void

const appending = (given: Given) => {
  given(
    'the first append makes its stream, and is answered with the revision and position of its last event',
    async (log) => {
      const append = appendOf('gateway-a', 'no-stream', [1, 2])
      const appended = await log.append(append)
      const events = await everything(log)
      assert.is(appended.revision, 1)
      assert.is(appended.position, events[1]?.position)
      assert.equal(
        events.map(({ recordedAt, position, ...event }) => ({
          ...event,
          dated: !Number.isNaN(Date.parse(recordedAt)),
          placed: position !== origin,
        })),
        append.events.map((event, revision) => ({
          ...event,
          id: eventId(append.commandId, revision),
          stream: 'gateway-a',
          revision,
          dated: true,
          placed: true,
        })),
      )
    },
  )

  given('an append is written only when the stream is as the writer expects it', async (log) => {
    await log.append(appendOf('gateway-a', 'no-stream', [0]))
    await log.append(appendOf('gateway-a', 0, [1]))
    await log.append(appendOf('gateway-a', 'any', [2]))
    await log.append(appendOf('gateway-b', 'any', [3]))
    const head = await log.head()
    for (const expected of ['no-stream', 0, 1, 3] as const)
      assert.is(await failure(log.append(appendOf('gateway-a', expected, [9]))), 'revision-conflict', String(expected))
    assert.is(await failure(log.append(appendOf('gateway-c', 0, [9]))), 'revision-conflict')
    assert.equal((await everything(log)).map(numberIn), [0, 1, 2, 3])
    assert.is(await log.head(), head)
  })

  given('streams whose names begin alike are different streams', async (log) => {
    await log.append(appendOf('gateway-a', 'no-stream', [1]))
    await log.append(appendOf('gateway-a-', 'no-stream', [2]))
    await log.append(appendOf('gateway-A', 'no-stream', [3]))
    assert.equal((await log.readStream('gateway-a', 0, 10)).map(numberIn), [1])
  })

  given("the log's time never goes backwards", async (log) => {
    for (let n = 0; n < 5; n++) await log.append(appendOf('gateway-a', 'any', [n]))
    const times = (await everything(log)).map(({ recordedAt }) => recordedAt)
    assert.equal(times, times.toSorted())
  })
}

const repeating = (given: Given) => {
  given('a repeat with the same command id is answered as the first was and writes nothing', async (log) => {
    for (const expected of ['no-stream', 1, 'any'] as const) {
      const append = appendOf('gateway-a', expected, [1, 2])
      const first = await log.append(append)
      assert.equal(await log.append(append), first)
      assert.equal(await log.append({ ...append, events: append.events.map((event) => ({ ...event })) }), first)
    }
    assert.is((await everything(log)).length, 6)
  })

  given('a repeat is recognised although others have appended since and its expected revision is past', async (log) => {
    const append = appendOf('gateway-a', 'no-stream', [1, 2])
    const first = await log.append(append)
    for (let n = 3; n < 20; n++) await log.append(appendOf(n % 2 === 0 ? 'gateway-a' : 'gateway-b', 'any', [n]))
    assert.equal(await log.append(append), first)
    assert.is((await everything(log)).length, 19)
  })

  given('repeats at the same time are one append', async (log) => {
    const append = appendOf('gateway-a', 'no-stream', [1, 2])
    const [first, ...others] = await Promise.all([append, append, append, append].map((each) => log.append(each)))
    others.forEach((other) => assert.equal(other, first))
    assert.is((await everything(log)).length, 2)
  })

  given('a refused append can be repeated and is judged afresh', async (log) => {
    const append = appendOf('gateway-a', 0, [1])
    assert.is(await failure(log.append(append)), 'revision-conflict')
    await log.append(appendOf('gateway-a', 'no-stream', [0]))
    assert.is((await log.append(append)).revision, 1)
  })
}

const racing = (given: Given) => {
  given('of two writers at the same revision exactly one gets a revision-conflict', async (log) => {
    await log.append(appendOf('gateway-a', 'no-stream', [0]))
    const outcomes = await Promise.all([1, 2].map((n) => failure(log.append(appendOf('gateway-a', 0, [n])))))
    assert.equal(outcomes.toSorted(), ['none', 'revision-conflict'])
    assert.equal((await everything(log)).map(numberIn), [0, outcomes.indexOf('none') + 1])
  })

  given(
    'of many writers who each start the same stream one succeeds, and their neighbours are not disturbed',
    async (log) => {
      const rivals = Array.from({ length: 20 }, (_, n) => failure(log.append(appendOf('gateway-a', 'no-stream', [n]))))
      const neighbours = Array.from({ length: 20 }, (_, n) =>
        failure(log.append(appendOf(`gateway-n${n}`, 'no-stream', [n]))),
      )
      assert.is((await Promise.all(rivals)).filter((outcome) => outcome === 'none').length, 1)
      assert.ok((await Promise.all(neighbours)).every((outcome) => outcome === 'none'))
      assert.is((await everything(log)).length, 21)
    },
  )

  given('appends at the same time stay whole, and their streams have no gaps', async (log) => {
    await Promise.all(Array.from({ length: 50 }, (_, n) => log.append(appendOf(`gateway-${n % 3}`, 'any', [n, n, n]))))
    const events = await everything(log)
    assert.is(events.length, 150)
    for (let n = 0; n < 150; n += 3) assert.is(new Set(events.slice(n, n + 3).map(numberIn)).size, 1)
    for (const stream of ['gateway-0', 'gateway-1', 'gateway-2'])
      assert.equal(
        events.filter((event) => event.stream === stream).map(({ revision }) => revision),
        (await log.readStream(stream as StreamName, 0, 1_000)).map((_, index) => index),
      )
  })
}

const reading = (given: Given) => {
  given('an empty log has its head at the origin and nothing to read', async (log) => {
    assert.is(await log.head(), origin)
    assert.equal(await log.readAll(origin, 10), [])
    assert.equal(await log.readStream('gateway-a', 0, 10), [])
  })

  given('pages of any size give all events once, in the order of their positions', async (log) => {
    for (let n = 0; n < 20; n++) await log.append(appendOf(`gateway-${n % 3}`, 'any', n % 4 === 0 ? [n, n] : [n]))
    const whole = await everything(log)
    const positions = whole.map(({ position }) => position)
    assert.equal(positions, [...new Set(positions)].toSorted())
    assert.is(await log.head(), positions.at(-1))
    for (const limit of [1, 7, 25, 26]) assert.equal(await everything(log, limit), whole)
    assert.equal(await everything(log, 4, positions[9]), whole.slice(10))
  })

  given('a stream is read from a revision, inclusive, at most as far as the limit', async (log) => {
    for (let n = 0; n < 10; n++) {
      await log.append(appendOf('gateway-a', 'any', [n]))
      await log.append(appendOf('gateway-b', 'any', [100 + n]))
    }
    assert.equal((await log.readStream('gateway-a', 3, 4)).map(numberIn), [3, 4, 5, 6])
    assert.equal((await log.readStream('gateway-a', 8, 4)).map(numberIn), [8, 9])
    assert.equal(await log.readStream('gateway-a', 10, 4), [])
  })

  given('the last event of a stream is read alone', async (log) => {
    assert.is(await log.readLast('gateway-a'), undefined)
    await log.append(appendOf('gateway-a', 'no-stream', [0, 1, 2]))
    await log.append(appendOf('gateway-b', 'no-stream', [9]))
    const last = await log.readLast('gateway-a')
    assert.ok(last)
    assert.equal([last.stream, last.revision, numberIn(last)], ['gateway-a', 2, 2])
  })

  given('data comes back as it went in, whatever characters it holds', async (log) => {
    const texts = ['', '\u0000', '𝄞 ümläut "quoted" \\ \n', '\ud800', '${x}', "'; drop table event"]
    const events = texts.map((source) => {
      const event = numbered(0)
      return { ...event, data: { ...event.data, source } } as NewEvent
    })
    await log.append({ stream: 'gateway-a', expected: 'no-stream', commandId: newCommandId(), events })
    assert.equal(
      (await everything(log)).map(({ data }) => (data as { readonly source?: string }).source),
      texts,
    )
  })

  given('what is no position of the log is refused', async (log) => {
    assert.is(await failure(log.readAll('elsewhere' as Position, 10)), 'request-invalid')
  })
}

const refusing = (given: Given) => {
  given(
    'an append that is empty, too large or of an unknown version is not written, and the log goes on',
    async (log) => {
      const large = Array.from({ length: 5_000 }, (_, n) => n)
      const event = numbered(1)
      const foreign = { ...event, metadata: { ...event.metadata, version: 99 } }
      assert.is(await failure(log.append(appendOf('gateway-a', 'any', []))), 'not-written')
      assert.is(await failure(log.append(appendOf('gateway-a', 'any', large))), 'not-written')
      assert.is(
        await failure(log.append({ ...appendOf('gateway-a', 'any', []), events: [event, foreign] })),
        'not-written',
      )
      assert.is((await log.append(appendOf('gateway-a', 'no-stream', large.slice(0, 2_000)))).revision, 1_999)
      assert.is((await everything(log)).length, 2_000)
    },
  )

  given('a command id that was used for a shorter append is refused', async (log) => {
    const append = appendOf('gateway-a', 'any', [1])
    await log.append(append)
    const longer = { ...append, events: [...append.events, numbered(2)] }
    assert.is(await failure(log.append(longer)), 'not-written')
    assert.is((await everything(log)).length, 1)
  })

  given('after close nothing is written any more', async (log, { reopen }) => {
    await log.append(appendOf('gateway-a', 'any', [1]))
    await log.close()
    assert.is(await failure(log.append(appendOf('gateway-a', 'any', [2]))), 'not-written')
    if (reopen !== undefined) assert.equal((await everything(await reopen())).map(numberIn), [1])
  })
}

const following = (given: Given) => {
  given('a subscription goes live without gap or duplicate while others append', async (log) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 15 }),
        fc.nat(),
        fc.nat(15),
        async (sizes, start, when) => {
          const before = await everything(log)
          const after = before[start % (before.length + 1)]?.position ?? (await log.head())
          const seen: Recorded[] = []
          const deliver = async (events: readonly Recorded[]) => {
            if (events.length % 2 === 0) await setImmediate()
            seen.push(...events)
          }
          const appends: Promise<Appended>[] = []
          let subscription = when === 0 ? log.subscribe(after, deliver, failed) : undefined
          for (const [index, size] of sizes.entries()) {
            appends.push(log.append(appendOf(`gateway-${index % 3}`, 'any', Array<number>(size).fill(index))))
            if (index === when) subscription ??= log.subscribe(after, deliver, failed)
            if (size % 3 === 0) await setImmediate()
          }
          subscription ??= log.subscribe(after, deliver, failed)
          await Promise.all(appends)
          const expected = await everything(log, 1_000, after)
          await until(() => seen.length >= expected.length)
          await subscription.close()
          assert.equal(
            seen.map(({ position }) => position),
            expected.map(({ position }) => position),
          )
        },
      ),
      { numRuns: 25 },
    )
  })

  given('pages hold at most 1,000 events, and the next waits until the last was dealt with', async (log) => {
    for (let n = 0; n < 5; n++) await log.append(appendOf('gateway-a', 'any', Array<number>(500).fill(n)))
    const sizes: number[] = []
    let running = 0
    const subscription = log.subscribe(
      origin,
      async (events) => {
        assert.is(++running, 1)
        await setTimeout(2)
        running--
        sizes.push(events.length)
      },
      failed,
    )
    await until(() => sizes.reduce((sum, size) => sum + size, 0) === 2_500)
    await subscription.close()
    assert.ok(Math.max(...sizes) <= 1_000)
  })

  given('a subscription at the head sees only what comes after', async (log) => {
    await log.append(appendOf('gateway-a', 'any', [1]))
    const seen: number[] = []
    const subscription = log.subscribe(await log.head(), (events) => void seen.push(...events.map(numberIn)), failed)
    await setTimeout(5)
    await log.append(appendOf('gateway-a', 'any', [2]))
    await until(() => seen.length > 0)
    await subscription.close()
    assert.equal(seen, [2])
  })

  given('a delivery that fails ends the subscription with its error, and the log goes on', async (log) => {
    const ends: unknown[] = []
    let deliveries = 0
    log.subscribe(
      origin,
      () => {
        deliveries++
        throw new Error('cannot')
      },
      (error) => ends.push(error),
    )
    await log.append(appendOf('gateway-a', 'any', [1]))
    await until(() => ends.length > 0)
    await log.append(appendOf('gateway-a', 'any', [2]))
    await setTimeout(5)
    assert.is(deliveries, 1)
    assert.equal(
      ends.map((error) => (error as Error).message),
      ['cannot'],
    )
  })

  given('closing a subscription waits for the running delivery and allows no other', async (log) => {
    const happened: string[] = []
    const begun = Promise.withResolvers<undefined>()
    const subscription = log.subscribe(
      origin,
      async () => {
        happened.push('begun')
        begun.resolve(undefined)
        await setTimeout(10)
        happened.push('done')
      },
      failed,
    )
    await log.append(appendOf('gateway-a', 'any', [1]))
    await begun.promise
    await subscription.close()
    await log.append(appendOf('gateway-a', 'any', [2]))
    await setTimeout(5)
    assert.equal(happened, ['begun', 'done'])
  })

  given('closing the log ends its subscriptions, and what a running delivery appends is still written', async (log) => {
    const outcomes: string[] = []
    const begun = Promise.withResolvers<undefined>()
    log.subscribe(
      origin,
      async () => {
        begun.resolve(undefined)
        await setTimeout(5)
        outcomes.push(await failure(log.append(appendOf('gateway-b', 'any', [2]))))
      },
      failed,
    )
    await log.append(appendOf('gateway-a', 'any', [1]))
    await begun.promise
    await log.close()
    assert.equal(outcomes, ['none'])
  })
}

const reopening = (given: Given) => {
  given('a reopened log has kept everything, recognises repeats, and goes on', async (log, { reopen }) => {
    assert.ok(reopen)
    const append = appendOf('gateway-a', 'no-stream', [1, 2])
    const first = await log.append(append)
    await Promise.all(Array.from({ length: 30 }, (_, n) => log.append(appendOf(`gateway-${n}`, 'any', [n]))))
    const [before, head] = [await everything(log), await log.head()]
    const again = await reopen()
    assert.equal(await everything(again), before)
    assert.is(await again.head(), head)
    assert.equal(await again.append(append), first)
    assert.is(await failure(again.append(appendOf('gateway-a', 0, [3]))), 'revision-conflict')
    assert.ok((await again.append(appendOf('gateway-a', 1, [3]))).position > head)
  })
}
