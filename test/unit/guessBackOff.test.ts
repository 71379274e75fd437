import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { backOff } from '../../src/keys/backOff.ts'
import { recentSuccesses } from '../../src/keys/recentSuccesses.ts'

const still = { now: () => new Date(0) }
const rules = { burst: 2, first: 1000, longest: 60_000, forgottenAfter: 3_600_000, capacity: 4 }

test('no more keys are remembered than the capacity, and those with the fewest failures go first', () => {
  const table = backOff(still, rules)
  for (const key of ['twice', 'twice', 'once', 'thrice', 'thrice', 'thrice']) table.failed(key)
  table.begin('never')
  table.begin('newcomer')
  assert.is(table.size(), 4)
  table.failed('another')
  table.failed('one more')
  assert.is(table.size(), 4)
  const waits = ['thrice', 'twice', 'once', 'one more'].map((key) => table.wait(key))
  assert.equal(waits, [4000, 2000, 0, 1000])
})

test('what neither failed nor is under way takes no room', () => {
  const table = backOff(still, rules)
  for (let count = 0; count < 100; count++) {
    table.begin(`key ${count}`)
    table.settled(`key ${count}`)
    table.settled(`stranger ${count}`)
  }
  assert.is(table.size(), 0)
})

test('of a mailbox the latest sources are remembered, and of mailboxes the latest', () => {
  const successes = recentSuccesses(still, { lately: 1000, sourcesPerMailbox: 2, mailboxes: 2 })
  for (const source of ['s1', 's2', 's1', 's3']) successes.add('a', source)
  assert.equal(
    ['s1', 's2', 's3'].map((source) => successes.has('a', source)),
    [true, false, true],
  )
  successes.add('b', 's1')
  successes.add('a', 's1')
  successes.add('c', 's1')
  assert.equal(
    ['a', 'b', 'c'].map((mailbox) => successes.has(mailbox, 's1')),
    [true, false, true],
  )
})

test.run()
