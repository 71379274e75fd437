import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import type { Position } from '../../src/core/ids.ts'
import { watchMailboxes } from '../../src/storage/mailboxesLag.ts'

const test = suite('mailboxes lag')

const at = (position: number) => String(position).padStart(4, '0') as Position
const some = () => delay(30)

const watching = () => {
  const world = { head: (): Promise<Position> => Promise.resolve(at(1)), position: at(1) }
  const lag = watchMailboxes({ log: { head: () => world.head() }, position: () => world.position, every: 5 })
  return { world, lag }
}

/** It grows, until something is so again. */
const grows = async (lag: { seconds(): number }) => {
  await some()
  const before = lag.seconds()
  await some()
  assert.ok(before > 0 && lag.seconds() >= before + 0.02, `${before} ${lag.seconds()}`)
}

test('mailboxes that follow the log are never behind for longer than they take', async () => {
  const { world, lag } = watching()
  for (let events = 1; events < 20; events++) {
    world.head = () => Promise.resolve(at(events))
    await delay(5)
    world.position = at(events)
    assert.ok(lag.seconds() < 0.02)
  }
  await some()
  assert.ok(lag.seconds() < 0.02)
  lag.close()
})

test('mailboxes that stand still are behind from the first event that they lack, until they have it', async () => {
  const { world, lag } = watching()
  await some()
  assert.ok(lag.seconds() < 0.02)
  world.head = () => Promise.resolve(at(2))
  await grows(lag)
  world.head = () => Promise.resolve(at(9))
  world.position = at(2)
  assert.ok(lag.seconds() < 0.02)
  await grows(lag)
  world.position = at(9)
  assert.is(lag.seconds(), 0)
  lag.close()
})

test('a log that does not say where it ends, or never answers, counts as well', async () => {
  for (const away of [
    () => Promise.reject(new GatewayError('storage-failed')),
    () => new Promise<never>(() => undefined),
  ]) {
    const { world, lag } = watching()
    world.head = away
    await grows(lag)
    lag.close()
  }
  const { world, lag } = watching()
  world.head = () => Promise.reject(new GatewayError('storage-failed'))
  await grows(lag)
  world.head = () => Promise.resolve(at(1))
  await some()
  assert.ok(lag.seconds() < 0.02)
  lag.close()
})

test.run()
