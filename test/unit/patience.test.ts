import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startPatience } from '../../src/wire/patience.ts'
import { until } from '../support/until.ts'

const test = suite('patience')

const nothing = () => 0

const waiting = ({ rate = 1000, ours = false, held = nothing } = {}) => {
  const state = { moved: 0, ours, lost: 0 }
  const patience = startPatience({
    seconds: 0.08,
    rate,
    content: () => state.moved,
    isOurs: () => state.ours,
    held,
    onLost: () => (state.lost += 1),
  })
  return { state, patience }
}

test('who is fast enough on the average of each window is waited for, also where it stands still in between', async () => {
  const { state, patience } = waiting()
  for (let halves = 0; halves < 8; halves++) {
    await delay(40)
    state.moved += 100
  }
  assert.is(state.lost, 0)
  await until(() => state.lost === 1)
  patience.end()
})

test('who is too slow is lost, and without a rate only who moves nothing', async () => {
  const slow = waiting()
  const any = waiting({ rate: 0 })
  const moving = setInterval(() => {
    slow.state.moved += 1
    any.state.moved += 1
  }, 10)
  await delay(250)
  await until(() => slow.state.lost === 1)
  assert.is(any.state.lost, 0)
  clearInterval(moving)
  await until(() => any.state.lost === 1)
})

test('the time for which a peer was held up is not its own; who is held for moments only has to bring what is due', async () => {
  const begun = performance.now()
  const seconds = () => (performance.now() - begun) / 1000
  const halted = waiting({ held: () => 0.95 * seconds() })
  const crawling = waiting({ held: () => 0.02 * seconds() })
  const moving = setInterval(() => (crawling.state.moved += 1), 10)
  await delay(250)
  await until(() => crawling.state.lost === 1)
  clearInterval(moving)
  assert.is(halted.state.lost, 0)
  halted.patience.end()
})

test('while it is our turn nobody is lost, and the time begins with theirs', async () => {
  const { state, patience } = waiting({ ours: true })
  await delay(250)
  assert.is(state.lost, 0)
  state.ours = false
  patience.renew()
  await delay(40)
  assert.is(state.lost, 0)
  await until(() => state.lost === 1)
})

test('another time may be given once, and who has ended is not lost, whatever is renewed afterwards', async () => {
  const { state, patience } = waiting()
  patience.renew(0.4)
  await delay(200)
  assert.is(state.lost, 0)
  patience.renew()
  await until(() => state.lost === 1)
  const other = waiting()
  const [again, otherwise] = [waiting(), waiting()]
  for (const one of [other, again, otherwise]) one.patience.end()
  again.patience.renew()
  otherwise.patience.renew(0.04)
  await delay(160)
  assert.equal([other.state.lost, again.state.lost, otherwise.state.lost], [0, 0, 0])
})

test.run()
