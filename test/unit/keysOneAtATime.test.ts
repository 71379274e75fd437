import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { oneAtATime } from '../../src/keys/oneAtATime.ts'

test('works run in the order asked for, never two at once, also when one of them fails', async () => {
  const run = oneAtATime(64)
  const seen: string[] = []
  const work = (name: string) => async () => {
    seen.push(`${name} begins`)
    await new Promise(setImmediate)
    seen.push(`${name} ends`)
    if (name === 'b') throw new Error('b failed')
    return name
  }
  const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((name) => run(work(name))))
  assert.equal(seen, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
  assert.equal(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})

test('past the limit of those who wait, the next is refused at once; when some are through, others may come', async () => {
  const run = oneAtATime(2)
  const opened = Promise.withResolvers<undefined>()
  const [running, ...waiting] = [1, 2, 3].map(() => run(() => opened.promise))
  const late = await run(() => Promise.resolve('in')).catch((error: unknown) => error)
  assert.ok(late instanceof GatewayError && late.code === 'overloaded')
  opened.resolve(undefined)
  await Promise.all([running, ...waiting])
  assert.is(await run(() => Promise.resolve('in')), 'in')
})

test.run()
