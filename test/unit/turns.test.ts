import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inHalves } from '../../src/storage/turns.ts'

/** Work that ends when it is told to. */
const worker = (atLeast: number) => {
  const turn = inHalves(atLeast)
  const working: PromiseWithResolvers<number>[] = []
  const results: Promise<number>[] = []
  return {
    working,
    results,
    arrive: (count: number) => {
      for (let i = 0; i < count; i++)
        results.push(
          turn(() => {
            const work = Promise.withResolvers<number>()
            working.push(work)
            return work.promise
          }),
        )
    },
  }
}

test('few work at once', async () => {
  const { working, arrive } = worker(8)
  arrive(8)
  await nextTurn()
  assert.is(working.length, 8)
})

test('of many, half work and half wait; who is done lets the next one work', async () => {
  const { working, arrive } = worker(8)
  arrive(20)
  await nextTurn()
  assert.is(working.length, 10)
  working[0]?.resolve(0)
  await nextTurn()
  assert.is(working.length, 11)
})

test('everyone has a turn in the order of coming, and gets its own result', async () => {
  const { working, results, arrive } = worker(2)
  arrive(50)
  for (let i = 0; i < 50; i++) {
    await nextTurn()
    working[i]?.resolve(i)
  }
  assert.equal(await Promise.all(results), [...Array(50).keys()])
})

test('work that fails gives its turn back', async () => {
  const { working, results, arrive } = worker(1)
  arrive(3)
  const ends = Promise.allSettled(results)
  for (let i = 0; i < 3; i++) {
    await nextTurn()
    working[i]?.reject(new Error('no'))
  }
  assert.equal(
    (await ends).map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  )
})

test.run()
