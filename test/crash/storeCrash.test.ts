import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Expected } from '../../src/core/ports.ts'
import type { Recorded } from '../../src/core/events.ts'
import { origin } from '../../src/core/ids.ts'
import { eventStoreDbLog } from '../../src/log/eventStoreDb.ts'
import { appendOf, everything, failure, numberIn } from '../contract/eventLogContract.ts'
import { storeDoubleProcess } from '../support/storeDoubleProcess.ts'
import { until } from '../support/until.ts'

const writers = 20
const kills = 8
/** Appends that are acknowledged before the next kill, however busy the machine is. */
const betweenKills = 15

test(`a store that is killed ${kills} times under load: what was acknowledged is there once, what was refused is not`, async () => {
  const store = await storeDoubleProcess()
  const log = eventStoreDbLog({ url: store.url, patience: { request: 2_000, append: 4_000, unsent: 400, pause: 10 } })
  const seen: Recorded[] = []
  const subscription = log.subscribe(
    origin,
    (events) => void seen.push(...events),
    (error) => assert.unreachable(String(error)),
  )
  const outcomes = new Map<number, string>()
  let next = 0
  let acknowledged = 0
  let over = false
  const write = async (writer: number) => {
    for (let revision = -1; !over;) {
      const number = next++
      const [stream, expected]: readonly [`gateway-${string}`, Expected] =
        writer % 3 === 0
          ? ['gateway-shared', 'any']
          : writer % 3 === 1
            ? [`gateway-${writer}`, revision < 0 ? 'no-stream' : revision]
            : [`gateway-new-${number}`, 'no-stream']
      const append = appendOf(stream, expected, [number, number])
      const outcome = await log.append(append).then(
        (appended) => {
          revision = appended.revision
          return 'none'
        },
        (error: unknown) => failure(Promise.reject(error as Error)),
      )
      outcomes.set(number, outcome)
      if (outcome === 'none') acknowledged += 1
      // Its stream may have grown: only the log knows.
      if (outcome !== 'none' && writer % 3 === 1) revision = await lastRevision(stream)
      if (outcome !== 'none') await delay(20)
    }
  }
  const lastRevision = async (stream: `gateway-${string}`): Promise<number> => {
    for (;;) {
      const length = await log.readStream(stream, 0, 100_000).then(
        ({ length }) => length,
        () => undefined,
      )
      if (length !== undefined) return length - 1
      await delay(20)
    }
  }

  const writing = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)))
  for (let kill = 0; kill < kills; kill++) {
    for (const before = acknowledged; acknowledged < before + betweenKills;) await delay(10)
    await delay(Math.random() * 200)
    // Every other time in the very moment between the commit and the answer.
    if (kill % 2 === 0) store.arm({ is: 'killed' })
    await delay(20)
    await store.kill()
    await delay(Math.random() * 600)
    await store.start()
  }
  await delay(200)
  over = true
  await writing

  const reader = eventStoreDbLog({ url: store.url })
  const events = await everything(reader)
  await reader.close()
  const counts = Map.groupBy(events, numberIn)
  for (const [number, outcome] of outcomes) {
    const found = counts.get(number)?.length ?? 0
    if (outcome === 'none') assert.is(found, 2, `${number} was acknowledged`)
    else if (outcome === 'outcome-unknown') assert.ok(found === 0 || found === 2, `${number} is ${found} times there`)
    else assert.is(found, 0, `${number} was refused with ${outcome}`)
  }
  await until(() => seen.length >= events.length, 'every event')
  assert.equal(
    seen.map(({ position }) => position),
    events.map(({ position }) => position),
  )
  await subscription.close()
  await log.close()
  await store.remove()
})

test.run()
