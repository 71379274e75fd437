import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pausable } from '../../src/backup/pausable.ts'

test('a pause begins when what runs has ended, and nothing begins before it is over', async () => {
  const { through, pause } = pausable()
  const steps: string[] = []
  const first = Promise.withResolvers<undefined>()
  const running = through(() => first.promise).then(() => steps.push('first'))
  const pausing = pause().then((resume) => {
    steps.push('paused')
    return resume
  })
  const second = through(() => {
    steps.push('second')
    return Promise.resolve()
  })
  await nextTurn()
  assert.equal(steps, [])
  first.resolve(undefined)
  await running
  const resume = await pausing
  await nextTurn()
  assert.equal(steps, ['first', 'paused'])
  resume()
  await second
  assert.equal(steps, ['first', 'paused', 'second'])
})

test('work that fails neither holds up a pause nor keeps its failure', async () => {
  const { through, pause } = pausable()
  const failing = through(() => Promise.reject(new Error('the disk')))
  const [resume, failure] = await Promise.all([pause(), failing.catch((error: unknown) => String(error))])
  assert.is(failure, 'Error: the disk')
  resume()
  assert.is(await through(() => Promise.resolve(7)), 7)
})

test.run()
