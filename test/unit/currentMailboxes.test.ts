import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { origin } from '../../src/core/ids.ts'
import { currentMailboxes } from '../../src/currentMailboxes.ts'

/** A log whose reads are answered one by one. */
const slowLog = () => {
  const reads: PromiseWithResolvers<typeof origin>[] = []
  return {
    reads,
    head: () => {
      const read = Promise.withResolvers<typeof origin>()
      reads.push(read)
      return read.promise
    },
  }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))
const views = { mailboxesVisible: () => Promise.resolve() }

test('of all who ask while a look is under way, each is answered by one that began after he asked, and all by one', async () => {
  const log = slowLog()
  const current = currentMailboxes(views, log)
  const answered: string[] = []
  const ask = (name: string) => current().then(() => answered.push(name))
  const first = ask('first')
  await turn()
  const later = Array.from({ length: 200 }, () => ask('later'))
  await turn()
  assert.is(log.reads.length, 1)
  log.reads[0]?.resolve(origin)
  await first
  await turn()
  assert.equal(answered, ['first'])
  assert.is(log.reads.length, 2)
  log.reads[1]?.resolve(origin)
  await Promise.all(later)
  assert.is(log.reads.length, 2)
})

test('a look that fails is the failure of those who waited for it alone', async () => {
  const log = slowLog()
  const current = currentMailboxes(views, log)
  const first = current().catch(() => 'failed')
  await turn()
  const second = current().then(() => 'known')
  log.reads[0]?.reject(new Error('away'))
  assert.is(await first, 'failed')
  await turn()
  log.reads[1]?.resolve(origin)
  assert.is(await second, 'known')
})

test.run()
