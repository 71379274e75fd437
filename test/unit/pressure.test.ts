import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type PressureParts, watchPressure } from '../../src/pressure.ts'
import { owedAnswers } from '../../src/storage/owed.ts'
import { openBody } from '../../src/wire/body.ts'
import { octetsInFlight } from '../../src/wire/flight.ts'

const test = suite('pressure')
const MiB = 2 ** 20

const watching = (changed: Partial<PressureParts> = {}) => {
  const limits = { messagesPerMinute: 2, diskReserve: 100 * MiB, logLag: 30 }
  const world = { limits, free: (1000 * MiB) as number | undefined, full: false, lag: 0, now: 0 }
  const pressure = watchPressure({
    limits,
    free: () => Promise.resolve(world.free),
    isFull: () => world.full,
    lag: () => world.lag,
    clock: { now: () => new Date(world.now) },
    ...changed,
  })
  pressure.close()
  const ask = (address = '192.0.2.1', size = 0) => pressure.putOff(address, size)
  return { world, ask }
}
const looked = () => new Promise((resolve) => setImmediate(resolve))

test('an address begins so many messages within a minute, and as many in the next; a /64 is one address', async () => {
  const { world, ask } = watching()
  await looked()
  assert.equal([ask(), ask(), ask(), ask('192.0.2.2')], [undefined, undefined, 'too-many-messages', undefined])
  const mine = ['2001:db8::1', '2001:db8::2', '2001:db8::3'].map((address) => ask(address))
  assert.equal(mine, [undefined, undefined, 'too-many-messages'])
  assert.is(ask('::ffff:192.0.2.1'), 'too-many-messages')
  world.limits.messagesPerMinute = 3
  assert.is(ask(), undefined)
  world.now = 60_000
  assert.is(ask(), undefined)
})

test('a message is put off that would leave less than the reserve; nobody is where there is no reserve, or no telling', async () => {
  const { world, ask } = watching({ free: () => Promise.resolve(150 * MiB) })
  await looked()
  assert.equal([ask('192.0.2.1', 50 * MiB), ask('192.0.2.1', 50 * MiB + 1)], [undefined, 'disk-reserve'])
  world.limits.diskReserve = 200 * MiB
  assert.is(ask(), 'disk-reserve')
  world.limits.diskReserve = 0
  assert.is(ask(), undefined)
  const away = watching({ free: () => Promise.reject(new Error('the directory is away')) })
  await looked()
  assert.is(away.ask(), undefined)
})

test('a log that owes its answers, or a memory that is full, puts off, and what is put off is not counted', async () => {
  const { world, ask } = watching()
  await looked()
  world.lag = 31
  assert.equal([ask(), ask(), ask()], ['log-lag', 'log-lag', 'log-lag'])
  world.lag = 30
  world.full = true
  assert.equal([ask(), ask(), ask()], ['bytes-in-flight', 'bytes-in-flight', 'bytes-in-flight'])
  world.full = false
  assert.equal([ask(), ask()], [undefined, undefined])
})

test('the lag is that of the oldest answer, and over when it has come', async () => {
  const owed = owedAnswers()
  assert.is(owed.seconds(), 0)
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  const old = owed.until(promise)
  await new Promise((later) => setTimeout(later, 30))
  await owed.until(Promise.resolve(1))
  assert.ok(owed.seconds() >= 0.025)
  resolve(undefined)
  await old
  assert.is(owed.seconds(), 0)
  reject(new Error('too late'))
  await owed.until(Promise.reject(new Error('refused'))).catch(() => undefined)
  assert.is(owed.seconds(), 0)
})

test('while the memory is full each connection is read from only when its last octets were taken, and none stands still', async () => {
  let elsewhere = 0
  const flight = octetsInFlight(
    () => 1000,
    () => elsewhere,
  )
  let rooms = 0
  const body = openBody(() => (rooms += 1), flight)
  assert.ok(body.push(Buffer.alloc(100)))
  elsewhere = 950
  assert.not(body.push(Buffer.alloc(100)))
  assert.is(flight.octets(), 1150)
  const chunks = body[Symbol.asyncIterator]()
  await chunks.next()
  await chunks.next()
  assert.is(rooms, 1)
  assert.is(flight.octets(), 950)
  assert.not(body.push(Buffer.alloc(100)))
  body.discard()
  assert.is(flight.octets(), 950)
  body.push(Buffer.alloc(100))
  assert.is(flight.octets(), 950)
})

test.run()
