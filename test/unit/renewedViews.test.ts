import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { asGatewayError, GatewayError } from '../../src/core/errors.ts'
import { origin, type Position } from '../../src/core/ids.ts'
import { type BreakableViews, renewedViews } from '../../src/storage/renewedViews.ts'
import type { Stop, ViewsStatus } from '../../src/storage/viewsState.ts'
import { until } from '../support/until.ts'

const test = suite('views that break')

const at = '0000000000000007' as Position

/** Views of which every question is answered with their name. */
const viewsNamed = (name: string) => {
  const broken = Promise.withResolvers<Stop>()
  let state: ViewsStatus['state'] = 'live'
  const answer = () => {
    if (state === 'closed') throw new GatewayError('shutting-down')
    return [{ name }]
  }
  const views: BreakableViews = {
    broken: broken.promise,
    reader: { get: () => answer()[0], all: answer, columns: () => answer().map(Object.values) },
    visible: () => Promise.resolve(),
    mailboxesVisible: () => Promise.resolve(),
    status: () => ({
      state,
      position: at,
      reason: undefined,
      event: undefined,
      progress: undefined,
      mailboxesPosition: at,
      mailboxesKnown: state === 'live',
    }),
    close: () => {
      state = 'closed'
      return Promise.resolve()
    },
  }
  const breaks = (corrupt = false) => {
    state = 'stopped'
    broken.resolve({ reason: `${name} broke`, corrupt })
  }
  return { views, breaks }
}

/** Views that are opened again as told, one outcome after the other. */
const renewing = (pauses: [number, ...number[]] = [0], retry = 60) => {
  const first = viewsNamed('first')
  const asked: PromiseWithResolvers<BreakableViews | Stop>[] = []
  const open = (signal: AbortSignal) => {
    const outcome = Promise.withResolvers<BreakableViews | Stop>()
    asked.push(outcome)
    signal.addEventListener('abort', () => outcome.reject(new GatewayError('shutting-down')))
    return outcome.promise
  }
  const none = () => undefined
  const views = renewedViews({
    first: first.views,
    open,
    logger: { info: none, warn: none, error: none },
    pauses,
    retry,
  })
  const opens = (count: number) => until(() => asked[count - 1])
  return { views, first, asked, opens }
}

const codeOf = (work: () => unknown) =>
  Promise.try(work).then(
    (done) => done,
    (error: unknown) => asGatewayError(error).code,
  )

test('views that break are opened again; until then nobody is told anything but to come back', async () => {
  const { views, first, opens } = renewing()
  assert.equal(views.reader.get('who'), { name: 'first' })
  first.breaks()
  const outcome = await opens(1)
  const { state, position, mailboxesKnown, mailboxesPosition } = views.status()
  assert.equal([state, position, mailboxesKnown, mailboxesPosition], ['behind', origin, false, origin])
  for (const ask of [
    () => views.reader.get('who'),
    () => views.reader.all('who'),
    () => views.reader.columns('who'),
    () => views.visible(origin),
    () => views.mailboxesVisible(origin),
  ])
    assert.is(await codeOf(ask), 'storage-failed')
  outcome.resolve(viewsNamed('second').views)
  await until(() => views.status().state === 'live')
  assert.equal(views.reader.all('who'), [{ name: 'second' }])
  await views.close()
})

test('views that cannot be opened again have stopped, say why, and are tried again', async () => {
  const { views, first, opens } = renewing([0, 60], 0.01)
  first.breaks()
  const refused = await opens(1)
  refused.resolve({ reason: 'the disk is full', corrupt: false })
  const failed = await opens(2)
  assert.is(await codeOf(() => views.reader.get('who')), 'storage-failed')
  failed.reject(new Error('no thread'))
  const done = await opens(3)
  done.resolve(viewsNamed('second').views)
  await until(() => views.status().state === 'live')
  await views.close()
})

test('views that break again and again are opened ever more seldom', async () => {
  const { views, first, opens, asked } = renewing([0, 60])
  first.breaks()
  const second = viewsNamed('second')
  const outcome = await opens(1)
  outcome.resolve(second.views)
  await until(() => views.status().state === 'live')
  second.breaks()
  await delay(50)
  assert.equal([asked.length, views.status().state], [1, 'stopped'])
  await views.close()
  assert.is(views.status().state, 'closed')
})

test('a damaged file tells nobody anything until it is built anew; what another one has is still told', async () => {
  for (const corrupt of [false, true]) {
    const { views, first } = renewing([60])
    first.breaks(corrupt)
    await delay(0)
    assert.equal(await codeOf(() => views.reader.get('who')), corrupt ? 'storage-failed' : { name: 'first' })
    const { state, reason } = views.status()
    assert.equal([state, reason], ['stopped', corrupt ? 'first broke' : undefined])
    await views.close()
  }
})

test('views that are closed are not opened again, whenever that is', async () => {
  const sound = renewing()
  await sound.views.close()
  sound.first.breaks()
  await delay(20)
  assert.is(sound.asked.length, 0)

  const opening = renewing()
  opening.first.breaks()
  await opening.opens(1)
  await opening.views.close()
  await opening.views.close()
  assert.is(await codeOf(() => opening.views.reader.get('who')), 'shutting-down')
  assert.equal([opening.asked.length, opening.views.status().state], [1, 'closed'])
})

test.run()
