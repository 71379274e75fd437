import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { origin, type Position } from '../../src/core/ids.ts'
import { visibility } from '../../src/storage/visibility.ts'

const at = (n: number) => String(n).padStart(16, '0') as Position
const rejection = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (reason: unknown) => reason,
  )

test('what is folded is visible at once, and the beginning always', async () => {
  const visible = visibility()
  await visible.wait(origin)
  visible.advance(at(3))
  await visible.wait(at(3))
  assert.is(visible.position(), at(3))
})

test('who waits goes on when the views have come to their position, and not before', async () => {
  const visible = visibility()
  const order: number[] = []
  const waits = [5, 3].map((n) => visible.wait(at(n)).then(() => order.push(n)))
  visible.advance(at(4))
  await waits[1]
  assert.equal(order, [3])
  visible.advance(at(5))
  await waits[0]
  assert.equal(order, [3, 5])
})

test('an older report does not take visibility back', () => {
  const visible = visibility()
  visible.advance(at(5))
  visible.advance(at(4))
  assert.is(visible.position(), at(5))
})

test('a refusal reaches who waits and who comes, and ends when the views advance', async () => {
  const visible = visibility()
  const failure = new GatewayError('storage-failed')
  const waiting = rejection(visible.wait(at(1)))
  visible.refuse(failure)
  assert.is(await waiting, failure)
  assert.is(await rejection(visible.wait(at(1))), failure)
  visible.advance(at(0))
  const again = visible.wait(at(1))
  visible.advance(at(1))
  await again
})

test('what is folded stays visible while the rest is refused', async () => {
  const visible = visibility()
  visible.advance(at(2))
  visible.refuse(new GatewayError('storage-failed'))
  await visible.wait(at(2))
})

test('a wait ends with its signal, before or during', async () => {
  const visible = visibility()
  const reason = new Error('gone')
  assert.is(await rejection(visible.wait(at(1), AbortSignal.abort(reason))), reason)
  const leaving = new AbortController()
  const waiting = rejection(visible.wait(at(1), leaving.signal))
  leaving.abort(reason)
  assert.is(await waiting, reason)
})

test.run()
