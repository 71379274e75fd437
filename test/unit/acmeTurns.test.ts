import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Certificate } from '../../src/tls/certificate.ts'
import { renewalOf } from '../../src/tls/acme/renewal.ts'
import { orderTurns } from '../../src/tls/acme/turns.ts'
import { memoryKeys } from '../support/memoryKeys.ts'

const test = suite('turns of ordering')
const minute = 60_000
const world = () => {
  const { keys, values } = memoryKeys()
  const time = { now: Date.parse('2026-11-24T12:00:00Z') }
  const clock = { now: () => new Date(time.now) }
  const turnsOf = (node: string) =>
    orderTurns({ keys, directory: 'https://acme.test/dir', node, clock, random: () => 0 })
  return { keys, values, time, turns: turnsOf('one'), others: turnsOf('two') }
}

test('of gateways that begin at once one has the turn', async () => {
  const { turns, others } = world()
  const begun = await Promise.all([turns.begin(), others.begin(), turns.begin(), others.begin()])
  assert.is(begun.filter((turn) => turn !== undefined).length, 1)
})

test('after each failure it takes twice as long, up to half a day; at most five tries begin in the first hour', async () => {
  const { turns, time } = world()
  const start = time.now
  const begun: number[] = []
  for (; time.now < start + 72 * 60 * minute; time.now += minute) {
    const turn = await turns.begin()
    if (turn) begun.push((time.now - start) / minute)
    await turn?.failed(0)
  }
  assert.equal(begun.slice(0, 7), [0, 3, 9, 21, 45, 93, 189])
  assert.is(begun.filter((at) => at < 60).length, 5)
  assert.is((begun.at(-1) ?? 0) - (begun.at(-2) ?? 0), 720)
})

test('an authority that wants to be left alone is, and not for longer than a day', async () => {
  const { turns, time } = world()
  const next = await (await turns.begin())?.failed(3600)
  assert.is(next?.getTime(), time.now + 60 * minute)
  time.now += 59 * minute
  assert.is(await turns.begin(), undefined)
  time.now += minute
  const turn = await turns.begin()
  assert.is((await turn?.failed(10 ** 9))?.getTime(), time.now + 1440 * minute)
})

test('a success ends the row of failures; a gateway that died in its turn hinders nobody for long', async () => {
  const { turns, others, time } = world()
  await (await turns.begin())?.failed(0)
  time.now += 3 * minute
  await (await turns.begin())?.succeeded(0)
  // It begins, and is never heard of again.
  assert.ok(await turns.begin())
  time.now += 2 * minute
  assert.is(await others.begin(), undefined)
  time.now += minute
  assert.ok(await others.begin())
})

test('a clock that was wrong, or a damaged note, keeps nothing waiting for ever', async () => {
  const { turns, time, values } = world()
  time.now += 1000 * 1440 * minute
  await turns.begin()
  time.now -= 1000 * 1440 * minute
  assert.ok(await turns.begin())
  for (const name of values.keys()) values.set(name, Buffer.from('{'))
  assert.ok(await turns.begin())
})

test('only the last turn is kept', async () => {
  const { turns, time, values } = world()
  for (let n = 0; n < 5; n++, time.now += 2 * 1440 * minute) assert.ok(await turns.begin())
  assert.is(values.size, 1)
})

test('a certificate is renewed when a third of its life is left, a little earlier by each gateway in its own way', () => {
  const day = 1440 * minute
  const of = (fingerprint: string) =>
    ({ fingerprint, notBefore: new Date(0), notAfter: new Date(90 * day) }) as Certificate
  const days = Array.from({ length: 200 }, (_, n) => renewalOf(of(`AA:${n}`), 'one') / day)
  assert.ok(Math.min(...days) >= 57 && Math.max(...days) <= 60)
  assert.ok(Math.max(...days) - Math.min(...days) > 2)
  assert.is(renewalOf(of('AA'), 'one'), renewalOf(of('AA'), 'one'))
  assert.is.not(renewalOf(of('AA'), 'one'), renewalOf(of('AA'), 'two'))
})

test.run()
