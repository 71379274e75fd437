import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { origin, type Position } from '../../src/core/ids.ts'
import { checkNames, readiness, type ReadinessParts } from '../../src/metrics/readiness.ts'
import { viewsLag } from '../../src/metrics/viewsLag.ts'

const test = suite('readiness')
const GiB = 2 ** 30
const well = { problem: undefined, free: 10 * GiB }
const start = Date.parse('2026-03-01T10:00:00.000Z')

const partsOf = (changed: Partial<ReadinessParts> = {}): ReadinessParts => ({
  head: () => Promise.resolve(origin),
  conditions: () => Promise.resolve({ data: well, vault: well, keys: well }),
  views: { status: () => ({ state: 'live', mailboxesKnown: true }) },
  lag: () => Promise.resolve(0),
  certificateExpires: () => new Date('2030-01-01T00:00:00.000Z'),
  clock: { now: () => new Date(start) },
  diskReserve: () => GiB,
  ...changed,
})
const unwell = async (changed: Partial<ReadinessParts>) =>
  (await readiness(partsOf(changed))()).filter(({ ok }) => !ok).map(({ name, detail }) => [name, detail])

test('a gateway that does its work passes every check, in one order', async () => {
  const checks = await readiness(partsOf())()
  assert.equal(
    checks.map(({ name }) => name),
    [...checkNames],
  )
  assert.ok(checks.every(({ ok }) => ok))
})

test('each thing that is missing fails its own check and no other', async () => {
  const away = { problem: 'the directory is not the one of the start: is its file system mounted?', free: 10 * GiB }
  const full = { problem: undefined, free: GiB - 1 }
  assert.equal(await unwell({ head: () => Promise.reject(new GatewayError('storage-failed')) }), [
    ['log', 'it does not answer'],
  ])
  assert.equal(await unwell({ conditions: () => Promise.resolve({ data: well, vault: away, keys: well }) }), [
    ['vault', away.problem],
  ])
  assert.equal(await unwell({ conditions: () => Promise.resolve({ data: full, vault: well, keys: well }) }), [
    ['disk', '1023 MiB free where it is least, 1024 MiB wanted'],
  ])
  assert.equal(await unwell({ views: { status: () => ({ state: 'behind', mailboxesKnown: true }) } }), [
    ['views', 'they are behind; mail is received'],
  ])
  assert.equal(await unwell({ lag: () => Promise.resolve(31) }), [['views', 'they are 31 s behind']])
  assert.equal(await unwell({ certificateExpires: () => new Date(start) }), [
    ['certificate', 'it has expired on 2026-03-01'],
  ])
})

test('a log that never answers is told of after a while, and the other checks with it', async () => {
  const checks = await readiness(partsOf({ head: () => new Promise(() => undefined) }))()
  assert.equal(
    checks.filter(({ ok }) => !ok).map(({ name }) => name),
    ['log'],
  )
})

test('many who ask at once cost one look', async () => {
  let looks = 0
  let now = start
  const head = () => {
    looks++
    return Promise.resolve(origin)
  }
  const checks = readiness(partsOf({ head, clock: { now: () => new Date(now) } }))
  await Promise.all(Array.from({ length: 100 }, checks))
  assert.is(looks, 1)
  now += 1000
  await checks()
  assert.is(looks, 2)
})

test('the lag is the age of what the views were first seen to lack', async () => {
  let now = start
  let head = '05' as Position
  let position = '05' as Position
  const lag = viewsLag({
    log: { head: () => Promise.resolve(head) },
    views: { status: () => ({ position }) },
    clock: { now: () => new Date(now) },
  })
  assert.is(await lag(), 0)
  head = '06' as Position
  assert.is(await lag(), 0)
  now += 15_000
  head = '09' as Position
  assert.is(await lag(), 15)
  position = '06' as Position
  assert.is(await lag(), 0)
  now += 5000
  assert.is(await lag(), 5)
  position = '09' as Position
  assert.is(await lag(), 0)
})

test.run()
