import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { viewReader } from '../../projections/projection.ts'
import { projections } from '../../projections/projections.ts'
import { fold } from '../../projections/runner.ts'
import { asGatewayError } from '../../src/core/errors.ts'
import { type Cause, stamper } from '../../src/core/events.ts'
import { newCommandId, origin } from '../../src/core/ids.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { type TimelineEntry, timelineOf } from '../../src/timeline.ts'
import { arrived, created, opened, retrieved, updated } from './projectionsFacts.ts'
import { byTest, emptyViews, type Given, messageId, sessionId, steppingClock } from './projectionsGiven.ts'

const test = suite('timeline')
const log = memoryLog({ clock: steppingClock() })
const by = async ([stream, ...facts]: Given, cause: Cause = byTest) => {
  const stamp = stamper('test', () => new Date())
  const events = facts.map((fact) => stamp(fact, cause))
  await log.append({ stream, expected: 'any', commandId: newCommandId(), events })
}
const archive: Cause = {
  principal: 'peer:192.0.2.1',
  correlationId: sessionId(1),
  causationId: sessionId(1),
}
await by(created(1))
await by(arrived(1, 1))
await by(arrived(2, 1))
await by(opened(1), archive)
await by(retrieved(1, 1), archive)
await by(retrieved(2, 1), archive)
await by(updated(1, 2))
await by(updated(1, 2, 1), archive)
await by(retrieved(1, 1))
await by(updated(1, 1))
await by(updated(1, 2))
const db = emptyViews()
fold(db, projections, await log.readAll(origin, 100))
const reader = viewReader(db)
test.after(() => db.close())

const whole = async (limit: number) => {
  const entries: TimelineEntry[] = []
  for (let after: string | undefined; ;) {
    const page = await timelineOf({ log, reader }, messageId(1), { after, limit })
    entries.push(...page.entries)
    if (page.next === undefined) return entries
    after = page.next
  }
}

test('a message’s life is told in the order of the log, with the events of other streams that name it', async () => {
  const entries = await whole(100)
  assert.equal(
    entries.map(({ what }) => what),
    [
      'received (journal)',
      'sealed under generation 1',
      'retrieved',
      'deleted from the maildrop',
      'retrieved',
      'deleted from the maildrop',
    ],
  )
  const positions = entries.map(({ position }) => position)
  assert.equal(positions, positions.toSorted())
})

test('who did it is told, and what is known of the session', async () => {
  const [first, , third] = await whole(100)
  const told = (entry: TimelineEntry | undefined) => [entry?.principal, entry?.sessionId, entry?.protocol]
  assert.equal(told(first), ['administrator:test', 'request', undefined])
  assert.equal(told(third), ['peer:192.0.2.1', sessionId(1), 'pop3'])
  assert.is(third?.remoteAddress, '192.0.2.1')
})

test('pages of any size tell everything once', async () => {
  const all = await whole(100)
  for (const limit of [1, 2, 3, 4, 5]) assert.equal(await whole(limit), all)
})

test('a cursor that no page has given is refused', async () => {
  const asked = timelineOf({ log, reader }, messageId(1), { after: 'x', limit: 1 })
  assert.is(await asked.catch((error: unknown) => asGatewayError(error).code), 'request-invalid')
})

test.run()
