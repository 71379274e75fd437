import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { type Recorded, stamper } from '../../src/core/events.ts'
import type { Position } from '../../src/core/ids.ts'
import type { Append } from '../../src/core/ports.ts'
import { countRefusals, type Refusals } from '../../src/refusals.ts'

const test = suite('refusals')
const open: Refusals[] = []
test.after.each(async () => {
  await Promise.all(open.splice(0).map((refusals) => refusals.close()))
})

const given = () => {
  let now = new Date('2026-03-01T10:00:30.000Z')
  let away = false
  const appends: Append[] = []
  const said: string[] = []
  const say = (_: object, text: string) => void said.push(text)
  const append = (append: Append) => {
    if (away) return Promise.reject(new GatewayError('outcome-unknown'))
    appends.push(append)
    return Promise.resolve({ revision: appends.length, position: '1' as Position })
  }
  const clock = { now: () => now }
  const logger = { info: say, warn: say, error: say }
  const refusals = countRefusals({ node: 'one', log: { append }, stamp: stamper('one', clock.now), clock, logger })
  open.push(refusals)
  const events = () =>
    appends.flatMap(({ events }) => events.map(({ data }) => data as Recorded<'RefusalsCounted'>['data']))
  return {
    refusals,
    appends,
    said,
    events,
    at: (time: string) => (now = new Date(`2026-03-01T${time}Z`)),
    logIsAway: (is: boolean) => (away = is),
  }
}

test('refusals of one source and minute are one event, each kind with its count', async () => {
  const { refusals, events, at } = given()
  for (const kind of ['unknown-recipient', 'relay', 'unknown-recipient']) refusals.refused('192.0.2.1', kind)
  at('10:01:00.000')
  await refusals.flush()
  const counts = { 'unknown-recipient': 2, relay: 1 }
  assert.equal(events(), [{ source: '192.0.2.1', minute: '2026-03-01T10:00:00.000Z', counts }])
})

test('the running minute is not written before it is over', async () => {
  const { refusals, appends, at } = given()
  refusals.refused('192.0.2.1', 'relay')
  at('10:00:59.999')
  await refusals.flush()
  assert.is(appends.length, 0)
})

test('closing writes the running minute too, and later refusals are counted no more', async () => {
  const { refusals, events } = given()
  refusals.refused('192.0.2.1', 'relay')
  await refusals.close()
  refusals.refused('192.0.2.1', 'relay')
  await refusals.close()
  assert.equal(events(), [{ source: '192.0.2.1', minute: '2026-03-01T10:00:00.000Z', counts: { relay: 1 } }])
})

test('a minute is one append to the stream of the node, caused by the system', async () => {
  const { refusals, appends, at } = given()
  refusals.refused('192.0.2.1', 'relay')
  refusals.refused('192.0.2.2', 'relay')
  at('10:05:00.000')
  await refusals.flush()
  assert.is(appends.length, 1)
  const [{ stream, events }] = appends as [Append]
  assert.is(stream, 'gateway-one')
  assert.equal(
    events.map(({ type, metadata }) => [type, metadata.principal, metadata.node]),
    [
      ['RefusalsCounted', 'system', 'one'],
      ['RefusalsCounted', 'system', 'one'],
    ],
  )
})

test('a quiet minute writes nothing', async () => {
  const { refusals, appends, at } = given()
  at('10:09:00.000')
  await refusals.flush()
  await refusals.close()
  assert.is(appends.length, 0)
})

test('an IPv4 peer counts as one source whichever way its address is written', async () => {
  const { refusals, events } = given()
  refusals.refused('::ffff:192.0.2.1', 'relay')
  refusals.refused('192.0.2.1', 'relay')
  refusals.refused('2001:db8::1', 'relay')
  await refusals.close()
  assert.equal(
    events().map(({ source, counts }) => [source, counts['relay']]),
    [
      ['192.0.2.1', 2],
      ['2001:db8::1', 1],
    ],
  )
})

test('a flood from everywhere is at most 101 sources a minute, and no refusal is lost', async () => {
  const { refusals, events } = given()
  for (let source = 0; source < 5000; source++) refusals.refused(`2001:db8::${source.toString(16)}`, 'relay')
  await refusals.close()
  assert.is(events().length, 101)
  assert.equal(events().at(-1)?.counts, { relay: 4900 })
  assert.is(events().at(-1)?.source, 'others')
})

test('what could not be written is written later under the same command id', async () => {
  const { refusals, appends, said, at, logIsAway } = given()
  refusals.refused('192.0.2.1', 'relay')
  at('10:01:00.000')
  logIsAway(true)
  await refusals.flush()
  await refusals.flush()
  assert.is(said.at(-1), 'Counted refusals were not recorded')
  refusals.refused('192.0.2.1', 'relay')
  logIsAway(false)
  at('10:02:00.000')
  await refusals.flush()
  assert.is(appends.length, 2)
  assert.is.not(appends[0]?.commandId, appends[1]?.commandId)
})

test('a repeated append carries the command id of the first', async () => {
  const ids = new Set<string>()
  const clock = { now: () => new Date('2026-03-01T10:00:30.000Z') }
  const silent = () => undefined
  let attempts = 0
  const append = ({ commandId }: Append) => {
    ids.add(commandId)
    attempts++
    return Promise.reject(new GatewayError('outcome-unknown'))
  }
  const refusals = countRefusals({
    node: 'one',
    log: { append },
    stamp: stamper('one', clock.now),
    clock,
    logger: { info: silent, warn: silent, error: silent },
  })
  refusals.refused('192.0.2.1', 'relay')
  await refusals.close()
  await refusals.flush()
  assert.is(attempts, 2)
  assert.is(ids.size, 1)
})

test('while the log is away at most an hour is kept, and what is dropped is said', async () => {
  const { refusals, appends, said, at, logIsAway } = given()
  logIsAway(true)
  for (let minute = 0; minute < 62; minute++) {
    at(`${minute < 60 ? '10' : '11'}:${String(minute % 60).padStart(2, '0')}:00.000`)
    refusals.refused('192.0.2.1', 'relay')
  }
  logIsAway(false)
  await refusals.close()
  assert.is(appends.length, 60)
  assert.is(said.filter((text) => text === 'Counted refusals were dropped').length, 2)
})

test('whatever comes in whatever order, as many refusals are written as were counted', async () => {
  const refusal = fc.record({
    source: fc.integer({ min: 0, max: 150 }),
    kind: fc.constantFrom('a', 'b'),
    wait: fc.nat(50),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(refusal), async (refusalsToCome) => {
      const { refusals, events, at } = given()
      let seconds = 30
      for (const { source, kind, wait } of refusalsToCome) {
        seconds += wait
        at(new Date(Date.UTC(2026, 2, 1, 10, 0, seconds)).toISOString().slice(11, -1))
        refusals.refused(`198.51.100.${source}`, kind)
      }
      await refusals.close()
      const written = events().flatMap(({ counts }) => Object.values(counts))
      assert.is(
        written.reduce((sum, count) => sum + count, 0),
        refusalsToCome.length,
      )
    }),
    { numRuns: 50 },
  )
})

test.run()
