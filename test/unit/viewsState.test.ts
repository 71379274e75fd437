import { mock } from 'node:test'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { asGatewayError } from '../../src/core/errors.ts'
import { origin, type Position } from '../../src/core/ids.ts'
import type { ProjectorReport } from '../../src/storage/projector.ts'
import { viewsState } from '../../src/storage/viewsState.ts'

const test = suite('state of the views')
test.before.each(() => mock.timers.enable({ apis: ['setTimeout', 'setInterval'] }))
test.after.each(() => mock.timers.reset())

const at = (n: number) => String(n).padStart(16, '0') as Position
const way: ProjectorReport = {
  type: 'opened',
  from: origin,
  mailboxes: at(100),
  to: at(100),
  rebuilt: ['messages'],
  total: 100,
}
const event = { position: at(11), stream: 'message-x', revision: 0, type: 'New' } as const
const stopped: ProjectorReport = { type: 'stopped', reason: 'from the future', corrupt: false, event }

const begun = () => {
  const said: string[] = []
  const say = (fields: object, text: string) => void said.push(`${text} ${JSON.stringify(fields)}`)
  const state = viewsState({ info: say, warn: say, error: say })
  return { state, said }
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'seen',
    (error: unknown) => asGatewayError(error).code,
  )
const isSettled = async (work: Promise<unknown>) =>
  (await Promise.race([work, Promise.resolve('pending')])) !== 'pending'

test('a long way is not waited for longer than two seconds: mailboxes are known, the rest is behind and says how far', async () => {
  const { state, said } = begun()
  state.on(way)
  state.on({ type: 'folded', position: at(40), events: 40 })
  assert.not.ok(await isSettled(state.begun))
  mock.timers.tick(2000)
  assert.is(await state.begun, 'open')
  const { state: now, progress, mailboxesKnown, position } = state.status()
  assert.equal([now, progress?.folded, progress?.total, mailboxesKnown, position], ['behind', 40, 100, true, at(40)])
  await state.mailboxesVisible(at(100))
  assert.not.ok(await isSettled(state.visible(at(41))))
  mock.timers.tick(1000)
  assert.match(said.at(-1) ?? '', /^Building views .*"folded":40,"total":100,"perSecond":/)
})

test('views that have caught up are live, and say so', async () => {
  const { state, said } = begun()
  state.on(way)
  const seen = state.visible(at(100))
  state.on({ type: 'folded', position: at(100), events: 100 })
  state.on({ type: 'caughtUp' })
  await seen
  assert.is(await state.begun, 'open')
  assert.equal([state.status().state, state.status().progress], ['live', undefined])
  assert.match(said.at(-1) ?? '', /^The views are built/)
})

test('an event that cannot be read stops all but the mailboxes; who waits is refused at once, and it is told which', async () => {
  const { state, said } = begun()
  state.on(way)
  const waiting = codeOf(state.visible(at(100)))
  state.on(stopped)
  assert.is(await waiting, 'storage-failed')
  assert.is(await codeOf(state.visible(at(100))), 'storage-failed')
  assert.is(await state.begun, 'open')
  const status = state.status()
  assert.equal([status.state, status.event, status.reason], ['stopped', event, 'from the future'])
  assert.match(said.at(-1) ?? '', /The views have stopped .*from the future.*message-x/)

  state.on({ type: 'mailboxes', position: at(120) })
  await state.mailboxesVisible(at(120))
  assert.is(state.status().mailboxesKnown, true)
  state.on({ type: 'mailboxesStopped', reason: 'from the future too' })
  assert.is(state.status().mailboxesKnown, false)
  assert.is(await codeOf(state.mailboxesVisible(at(130))), 'storage-failed')
})

test('what stops before the mailboxes are known refuses the start', async () => {
  const { state } = begun()
  state.on(stopped)
  assert.equal(await state.begun, stopped)
  assert.is(state.status().mailboxesKnown, false)
})

test('a full disk while they are built leaves them behind once it has room again', () => {
  const { state } = begun()
  state.on(way)
  state.on({ type: 'stalled', reason: 'full' })
  assert.equal([state.status().state, state.status().mailboxesKnown], ['stalled', false])
  state.on({ type: 'folded', position: at(41), events: 1 })
  assert.equal([state.status().state, state.status().mailboxesKnown], ['behind', true])
})

test('views whose file was found damaged stay stopped, whatever the projector, which has not noticed, still tells', async () => {
  const { state } = begun()
  state.on(way)
  const waiting = codeOf(state.visible(at(50)))
  state.on({ type: 'stopped', reason: 'malformed', corrupt: true, event: undefined })
  assert.is(await waiting, 'storage-failed')
  state.on({ type: 'folded', position: at(100), events: 100 })
  state.on({ type: 'mailboxes', position: at(100) })
  assert.equal([state.status().state, state.status().mailboxesKnown], ['stopped', false])
  for (const wait of [state.visible, state.mailboxesVisible]) assert.is(await codeOf(wait(at(101))), 'storage-failed')
})

test('a thread that dies knows no mailboxes any more, stopped or not', () => {
  for (const before of [[way], [way, stopped]] as const) {
    const { state } = begun()
    for (const report of before) state.on(report)
    state.ended('out of memory')
    assert.equal([state.status().state, state.status().mailboxesKnown], ['stopped', false])
  }
})

test.run()
