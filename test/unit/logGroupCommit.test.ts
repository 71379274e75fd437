import { setImmediate } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { origin } from '../../src/core/ids.ts'
import { type CommitLog, groupCommit } from '../../src/log/groupCommit.ts'
import type { Storable } from '../../src/log/storedEvent.ts'

const test = suite('log: group commit')

const append = (octets = 100): Storable => ({ stream: 'gateway-a', expected: 'any', events: [], octets })

/** A group commit whose writer notes the sizes of its batches, and fails as the test says. */
const given = (log: Partial<CommitLog> = {}) => {
  const batches: number[] = []
  const fatal: string[] = []
  let committed = 0
  const commits = groupCommit(
    {
      write: (batch) => {
        batches.push(batch.length)
        return log.write?.(batch) ?? batch.map((_, revision) => ({ revision, position: origin }))
      },
      tidy: () => log.tidy?.(),
      finish: () => log.finish?.(),
    },
    { onCommitted: () => committed++, onFatal: (error) => fatal.push(error.code) },
  )
  const outcome = (octets?: number) =>
    commits.append(append(octets)).then(
      () => 'written',
      (error: unknown) => (error as GatewayError).code,
    )
  return { commits, batches, fatal, outcome, committed: () => committed }
}

const throwing = (code: 'outcome-unknown' | 'not-written' | 'storage-failed') => () => {
  throw new GatewayError(code)
}

test('what has queued within one turn is one batch, the next turn makes the next', async () => {
  const { outcome, batches, committed } = given()
  await Promise.all([outcome(), outcome(), outcome()])
  await outcome()
  assert.equal(batches, [3, 1])
  assert.is(committed(), 2)
})

test('a batch is bounded in appends and in octets, and the rest follows by itself', async () => {
  const { outcome, batches } = given()
  await Promise.all(Array.from({ length: 2_500 }, () => outcome()))
  assert.equal(batches.splice(0), [1_000, 1_000, 500])
  await Promise.all(Array.from({ length: 10 }, () => outcome(900 * 1024)))
  assert.equal(batches, [4, 4, 2])
})

test('the octet bound never keeps a large append waiting for ever', async () => {
  const { outcome, batches } = given()
  assert.is(await outcome(100 * 1024 * 1024), 'written')
  assert.equal(batches, [1])
})

test('a batch that was not written is rejected whole and the next is tried afresh', async () => {
  let failing = true
  const { outcome, fatal, committed } = given({
    write: (batch) => (failing ? throwing('not-written')() : batch.map(() => ({ revision: 0, position: origin }))),
  })
  assert.equal(await Promise.all([outcome(), outcome()]), ['not-written', 'not-written'])
  assert.is(committed(), 0)
  failing = false
  assert.is(await outcome(), 'written')
  assert.equal(fatal, [])
})

test('each append gets its own outcome', async () => {
  const { outcome } = given({
    write: (batch) =>
      batch.map((_, n) => (n === 1 ? new GatewayError('revision-conflict') : { revision: n, position: origin })),
  })
  assert.equal(await Promise.all([outcome(), outcome(), outcome()]), ['written', 'revision-conflict', 'written'])
})

test('an unknown outcome is fatal: those in the batch are unknown, those behind it and after it are refused', async () => {
  const { outcome, fatal, batches } = given({ write: throwing('outcome-unknown') })
  const outcomes = await Promise.all(Array.from({ length: 1_001 }, () => outcome()))
  assert.equal([outcomes[0], outcomes[999], outcomes[1_000]], ['outcome-unknown', 'outcome-unknown', 'storage-failed'])
  assert.is(await outcome(), 'storage-failed')
  await setImmediate()
  assert.equal([batches, fatal], [[1_000], ['outcome-unknown']])
})

test('housekeeping comes after the answers, and its failure is fatal too', async () => {
  const order: string[] = []
  const { outcome, fatal } = given({
    tidy: () => {
      order.push('tidied')
      throwing('storage-failed')()
    },
  })
  assert.is(await outcome(), 'written')
  order.push('answered')
  await setImmediate()
  assert.equal(order, ['answered', 'tidied'])
  assert.is(await outcome(), 'storage-failed')
  assert.equal(fatal, ['storage-failed'])
})

test('closing writes what waits, then finishes, then refuses', async () => {
  let finished = 0
  const { commits, outcome, batches } = given({ finish: () => finished++ })
  const waiting = Array.from({ length: 1_200 }, () => outcome())
  commits.close()
  assert.equal([batches, finished], [[1_000, 200], 1])
  assert.equal(new Set(await Promise.all(waiting)), new Set(['written']))
  assert.is(await outcome(), 'not-written')
})

test('a log that has failed is not finished', async () => {
  let finished = 0
  const { commits, outcome } = given({ write: throwing('outcome-unknown'), finish: () => finished++ })
  await outcome()
  commits.close()
  assert.is(finished, 0)
})

test('more appends than any number of sessions could make are refused', async () => {
  const { commits, outcome } = given()
  const waiting = Array.from({ length: 20_000 }, () => outcome())
  assert.is(await outcome(), 'not-written')
  commits.close()
  assert.is((await Promise.all(waiting)).filter((each) => each === 'written').length, 20_000)
})

test.run()
