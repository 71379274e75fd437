import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { guessingGuard } from '../../src/keys/guessingGuard.ts'

const [archive, attacker, owner, other] = ['192.0.2.1', '198.51.100.9', '192.0.2.2', '203.0.113.5']
const minute = 60_000
const hour = 60 * minute

/** A clock that is set by hand, at second 0. */
const handClock = () => {
  let now = Date.UTC(2025, 0, 1)
  return {
    now: () => new Date(now),
    pass: (milliseconds: number) => {
      now += milliseconds
    },
  }
}

type Row =
  /** Seconds that pass. */
  | readonly ['pass', number]
  /** A try from an address at a mailbox: what it leads to, or the seconds it is told to wait. */
  | readonly [source: string, mailbox: string, outcome: 'failed' | 'succeeded' | 'abandoned' | 'pending' | number]

const play = (rows: readonly Row[]) => {
  const clock = handClock()
  const guard = guessingGuard(clock)
  for (const [index, row] of rows.entries()) {
    if (row.length === 2) {
      clock.pass(row[1] * 1000)
      continue
    }
    const [source, mailbox, outcome] = row
    const wait = guard.admit(source, mailbox)
    assert.is(wait, typeof outcome === 'number' ? outcome * 1000 : 0, `row ${index}: ${row.join(' ')}`)
    if (outcome === 'failed' || outcome === 'succeeded' || outcome === 'abandoned') guard[outcome](source, mailbox)
  }
}

const times = (count: number, ...rows: readonly Row[]): readonly Row[] =>
  Array.from({ length: count }, () => rows).flat()

const tables: Readonly<Record<string, readonly Row[]>> = {
  'each failure doubles the wait of its address': [
    [attacker, 'a', 'failed'],
    [attacker, 'b', 1],
    ['pass', 1],
    [attacker, 'c', 'failed'],
    [attacker, 'd', 2],
    ['pass', 1],
    [attacker, 'd', 1],
    ['pass', 1],
    [attacker, 'd', 'failed'],
    [attacker, 'e', 4],
  ],
  'other addresses do not wait for it': [
    [attacker, 'a', 'failed'],
    [other, 'b', 'succeeded'],
  ],
  'asking again during the wait does not make it longer': [
    [attacker, 'a', 'failed'],
    ...times(50, [attacker, 'a', 1]),
    ['pass', 1],
    [attacker, 'a', 'failed'],
  ],
  'each failure doubles the wait at its mailbox, from wherever it comes': [
    ['198.51.100.1', 'a', 'failed'],
    ['198.51.100.2', 'a', 1],
    ['pass', 1],
    ['198.51.100.2', 'a', 'failed'],
    ['198.51.100.3', 'a', 2],
  ],
  'an address that opened the mailbox lately does not wait for the failures of others there': [
    [archive, 'a', 'succeeded'],
    ['pass', 6 * 86_400],
    ['198.51.100.1', 'a', 'failed'],
    ['198.51.100.2', 'a', 1],
    [archive, 'a', 'succeeded'],
  ],
  'after a week without success it does': [
    [archive, 'a', 'succeeded'],
    ['pass', 7 * 86_400],
    [attacker, 'a', 'failed'],
    [archive, 'a', 1],
  ],
  'nor does it wait there for its own failures at other mailboxes': [
    [archive, 'a', 'succeeded'],
    [archive, 'b', 'failed'],
    [archive, 'b', 1],
    [archive, 'a', 'succeeded'],
    [archive, 'c', 1],
  ],
  'but once it fails there too, it waits for all of its own': [
    [archive, 'a', 'succeeded'],
    [archive, 'b', 'failed'],
    ['pass', 1],
    [archive, 'b', 'failed'],
    [archive, 'a', 'failed'],
    [archive, 'a', 4],
    ['pass', 4],
    [archive, 'a', 'succeeded'],
    [archive, 'a', 'succeeded'],
  ],
  'a success does not undo what its address failed elsewhere': [
    [attacker, 'a', 'failed'],
    ['pass', 1],
    [attacker, 'own', 'succeeded'],
    [attacker, 'a', 'failed'],
    [attacker, 'own', 'succeeded'],
    [attacker, 'a', 2],
  ],
  'eight tries of an address may be under way at once, the ninth waits': [
    ...Array.from({ length: 8 }, (_, index): Row => [archive, `m${index}`, 'pending']),
    [archive, 'm8', 1],
    ['pass', 60],
    [archive, 'm8', 'pending'],
  ],
  'of an address that has failed, one try at a time': [
    [attacker, 'a', 'failed'],
    ['pass', 1],
    [attacker, 'b', 'pending'],
    [attacker, 'c', 1],
  ],
  'tries that were abandoned count neither as failed nor as under way': [
    ...times(20, [owner, 'a', 'abandoned']),
    [owner, 'a', 'succeeded'],
  ],
  'an hour without failure is forgiven': [
    ...Array.from({ length: 8 }, (_, index): Row => [attacker, `m${index}`, 'pending']),
    ['pass', 60],
    [attacker, 'm', 'failed'],
    ['pass', 3599],
    [attacker, 'm', 'failed'],
    ['pass', 2],
    [attacker, 'm', 'failed'],
    ['pass', 3600],
    [attacker, 'm', 'failed'],
    [attacker, 'm', 1],
  ],
  'the addresses of one IPv6 /64 are one, those of another are not': [
    ['2001:db8::1', 'a', 'failed'],
    ['2001:db8::ffff:1', 'b', 1],
    ['2001:db8:0:1::1', 'c', 'succeeded'],
  ],
  'an IPv4 address is the same when it is mapped into IPv6': [
    ['192.0.2.77', 'a', 'failed'],
    ['::ffff:192.0.2.77', 'b', 1],
  ],
}

for (const [truth, rows] of Object.entries(tables)) test(truth, () => play(rows))

test('the wait of an address ends at 15 minutes, that at a mailbox at one', () => {
  const clock = handClock()
  const guard = guessingGuard(clock)
  let longest = 0
  for (let count = 0; count < 20; count++) {
    const wait = guard.admit(attacker, `m${count}`)
    longest = Math.max(longest, wait)
    clock.pass(wait)
    if (wait > 0) assert.is(guard.admit(attacker, `m${count}`), 0)
    guard.failed(attacker, `m${count}`)
  }
  assert.is(longest, 15 * minute)
  for (let count = 0; count < 20; count++) {
    const wait = guard.admit(`10.0.0.${count}`, 'one')
    assert.ok(wait <= minute)
    clock.pass(wait)
    if (wait > 0) assert.is(guard.admit(`10.0.0.${count}`, 'one'), 0)
    guard.failed(`10.0.0.${count}`, 'one')
  }
})

test('whatever one address does, fewer than ten of its tries begin in any minute', () => {
  const step = fc.record({
    pause: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.constantFrom(0, 1000, 2000, minute, hour)),
    tries: fc.integer({ min: 1, max: 30 }),
    mailbox: fc.constantFrom('a', 'b', 'c', 'd'),
    sameInstant: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = handClock()
      const guard = guessingGuard(clock)
      const begun: number[] = []
      for (const { pause, tries, mailbox, sameInstant } of steps) {
        clock.pass(pause)
        const underWay: string[] = []
        for (let count = 0; count < tries; count++) {
          if (guard.admit(attacker, mailbox + String(count)) > 0) continue
          begun.push(clock.now().getTime())
          if (sameInstant) underWay.push(mailbox + String(count))
          else guard.failed(attacker, mailbox + String(count))
        }
        for (const name of underWay) guard.failed(attacker, name)
      }
      for (const [index, at] of begun.entries()) {
        const tenth = begun[index + 9]
        assert.ok(tenth === undefined || tenth - at >= minute, 'ten tries in a minute')
      }
    }),
    { numRuns: 300 },
  )
})

test('a flood of other addresses and typed names does not make it forget who failed more often', () => {
  const clock = handClock()
  const guard = guessingGuard(clock)
  for (let count = 0; count < 6; count++) {
    assert.is(guard.admit(attacker, 'target'), 0)
    guard.failed(attacker, 'target')
    clock.pass(guard.admit(attacker, 'target'))
  }
  guard.failed(attacker, 'target')
  for (let count = 0; count < 70_000; count++) {
    const source = `10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`
    assert.is(guard.admit(source, `name ${count}`), 0)
    guard.failed(source, `name ${count}`)
  }
  assert.ok(guard.admit(attacker, 'x') > minute)
  assert.ok(guard.admit('172.16.0.1', 'target') > 0)
})

test('at a mailbox whose password cannot be guessed an address waits for its own failures, and for no others', () => {
  const guard = guessingGuard(handClock())
  assert.is(guard.admit(attacker, 'a'), 0)
  guard.failed(attacker, 'a')
  assert.is(guard.admit(owner, 'a'), 1000)
  assert.is(guard.admit(attacker, 'a', true), 1000)
  assert.is(guard.admit(owner, 'a', true), 0)
  guard.failed(owner, 'a')
  assert.is(guard.admit(owner, 'a', true), 1000)
  assert.is(guard.knows(other, 'a'), false)
  assert.is(guard.admit(other, 'a', true), 0)
  guard.succeeded(other, 'a')
  assert.is(guard.knows(other, 'a'), true)
})

test('a clock that is set back makes nobody wait longer than the rule says', () => {
  const clock = handClock()
  const guard = guessingGuard(clock)
  assert.is(guard.admit(attacker, 'a'), 0)
  guard.failed(attacker, 'a')
  clock.pass(-24 * hour)
  assert.is(guard.admit(attacker, 'a'), 1000)
})

test.run()
