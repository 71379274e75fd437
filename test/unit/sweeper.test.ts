import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { startSweeper } from '../../src/sweeper.ts'

const test = suite('sweeper')
// A sweeper's timer keeps no process alive.
const alive = setInterval(() => undefined, 1000)
test.after(() => clearInterval(alive))

/** Sweeps that end as the list says; `swept` resolves once the list is through. */
const sweeps = (...ends: readonly (number | Error)[]) => {
  const through = Promise.withResolvers<undefined>()
  const said: string[] = []
  let count = 0
  const say = (_: object, text: string) => void said.push(text)
  const next = () => {
    const end = ends[count++]
    if (count >= ends.length) through.resolve(undefined)
    return end instanceof Error ? Promise.reject(end) : Promise.resolve(end ?? 0)
  }
  return { next, swept: through.promise, said, logger: { info: say, warn: say, error: say } }
}

const every = 0.001

test('it sweeps again after a sweep, and after one that failed', async () => {
  const { next, swept, said, logger } = sweeps(0, new GatewayError('storage-failed'), 3, 0)
  const sweeper = startSweeper({ retention: { sweep: next }, ready: () => Promise.resolve(), every, logger })
  await swept
  await sweeper.close()
  assert.equal(said.slice(0, 2), [
    'Messages whose time has come could not all be destroyed; this is tried again',
    'Messages whose time had come were destroyed',
  ])
})

test('while something speaks against it nothing is destroyed, and it says why; then it goes on', async () => {
  const { next, swept, logger } = sweeps(0)
  const reasons: (string | undefined)[] = ['a restored backup', 'a restored backup']
  const said: unknown[] = []
  const warn = (fields: object) => void said.push(fields)
  const obstacle = () => reasons.shift()
  const sweeper = startSweeper({
    retention: { sweep: next },
    ready: () => Promise.resolve(),
    every,
    obstacle,
    logger: { ...logger, warn },
  })
  await swept
  await sweeper.close()
  assert.equal(said, [{ reason: 'a restored backup' }, { reason: 'a restored backup' }])
})

test('it waits for the views, and asks again when they are in the way', async () => {
  const views = sweeps(new GatewayError('storage-failed'), 0)
  const { next, swept } = sweeps(0)
  const sweeper = startSweeper({ retention: { sweep: next }, ready: views.next, every, logger: views.logger })
  await views.swept
  await swept
  await sweeper.close()
})

test('close ends the waiting for the views', async () => {
  const { logger, said } = sweeps(0)
  const ready = (signal: AbortSignal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })
  const sweep = () => Promise.reject(new Error('it was not ready'))
  await startSweeper({ retention: { sweep }, ready, every, logger }).close()
  assert.equal(said, [])
})

test('close resolves when the running sweep has ended', async () => {
  const gate = Promise.withResolvers<number>()
  const begun = Promise.withResolvers<undefined>()
  const { logger } = sweeps(0)
  const sweep = () => {
    begun.resolve(undefined)
    return gate.promise
  }
  const sweeper = startSweeper({ retention: { sweep }, ready: () => Promise.resolve(), every, logger })
  await begun.promise
  let closed = false
  const closing = sweeper.close().then(() => (closed = true))
  await new Promise(setImmediate)
  assert.not(closed)
  gate.resolve(0)
  await closing
})

test.run()
