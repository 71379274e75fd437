import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { mailboxOf, mailboxes } from '../../projections/mailboxes.ts'
import { messages } from '../../projections/messages.ts'
import { type Projection, viewReader } from '../../projections/projection.ts'
import { projections } from '../../projections/projections.ts'
import { checkpoints, createViews, fold, foldedTo } from '../../projections/runner.ts'
import { GatewayError } from '../../src/core/errors.ts'
import type { EventType, Recorded } from '../../src/core/events.ts'
import { origin } from '../../src/core/ids.ts'
import {
  arrived,
  closed,
  created,
  loggedIn,
  opened,
  reserved,
  retrieved,
  suspended,
  updated,
} from './projectionsFacts.ts'
import { contentsOf, emptyViews, mailboxId, recorded } from './projectionsGiven.ts'

const events = await recorded(
  reserved('a@example.org', 1),
  created(1),
  created(2),
  opened(1),
  arrived(1, 1),
  arrived(2, 2),
  suspended(2),
  loggedIn(1, 1),
  arrived(3, 1),
  retrieved(1, 1),
  updated(1, 1),
  closed(1),
)
const whole = () => {
  const db = emptyViews()
  fold(db, projections, events)
  return contentsOf(db)
}

test('the same log gives the same views, in whatever batches and however often an event is delivered', () => {
  const expected = whole()
  const batch = fc.record({ repeated: fc.nat(5), fresh: fc.integer({ min: 1, max: 6 }) })
  fc.assert(
    fc.property(fc.array(batch, { minLength: events.length }), (batches) => {
      const db = emptyViews()
      let next = 0
      for (const { repeated, fresh } of batches) {
        fold(db, projections, events.slice(Math.max(0, next - repeated), next + fresh))
        next = Math.min(events.length, next + fresh)
      }
      assert.equal(contentsOf(db), expected)
      db.close()
    }),
    { numRuns: 50 },
  )
})

test('every event of the log moves the checkpoint, also one that no view is about', async () => {
  const db = emptyViews()
  assert.is(foldedTo(db), origin)
  const [event] = await recorded(['gateway-test', { type: 'GatewayStopped', data: { reason: 'test' } }])
  fold(db, projections, [event as Recorded])
  assert.is(foldedTo(db), event?.position)
  const { id, stream, revision } = event as Recorded
  assert.equal(checkpoints(db)[0]?.event, { id, stream, revision })
})

test('a batch that cannot be taken in whole leaves views and checkpoint as they were', () => {
  const db = emptyViews()
  fold(db, projections, events.slice(0, 3))
  const before = contentsOf(db)
  const orphan = events.find(({ type }) => type === 'MessageSealed') as Recorded
  assert.throws(() => fold(db, projections, [events[3] as Recorded, orphan]), /MessageSealed/)
  assert.equal(contentsOf(db), before)
  assert.not.ok(db.isTransaction)
})

test('the failure to take an event in names view, event and place, and keeps its cause', () => {
  const db = emptyViews()
  const orphan = events.find(({ type }) => type === 'MessageRetrieved') as Recorded
  try {
    fold(db, projections, [orphan])
    assert.unreachable()
  } catch (error) {
    assert.instance(error, GatewayError)
    assert.is((error as GatewayError).code, 'event-unreadable')
    for (const word of ['messages', 'MessageRetrieved', orphan.stream, orphan.position])
      assert.match((error as GatewayError).message, word)
    assert.instance((error as GatewayError).cause, Error)
  }
})

test('views that exist are kept as they are', () => {
  const db = emptyViews()
  fold(db, projections, events)
  const before = contentsOf(db)
  assert.equal(createViews(db, projections), [])
  assert.equal(contentsOf(db), before)
})

test('a raised version empties that view alone, and folding the log again fills it', () => {
  const db = emptyViews()
  fold(db, projections, events)
  const raised = projections.map((one) => (one === messages ? { ...one, version: one.version + 1 } : one))
  assert.equal(createViews(db, raised), ['messages'])
  assert.is(foldedTo(db), origin)
  assert.is(contentsOf(db)['message']?.length, 0)
  assert.is(mailboxOf(viewReader(db), mailboxId(2))?.state, 'suspended')
  fold(db, raised, events)
  assert.equal({ ...contentsOf(db), projection: [] }, { ...whole(), projection: [] })
})

test('a version may bring other tables, and a view that is no more leaves none behind', () => {
  const db = new DatabaseSync(':memory:')
  const old: Projection = {
    name: 'one',
    version: 1,
    tables: 'create table former (a); create index i on former (a)',
    on: {},
  }
  createViews(db, [old, mailboxes])
  createViews(db, [{ ...old, version: 2, tables: 'create table latter (b)' }])
  assert.equal(Object.keys(contentsOf(db)), ['latter', 'projection'])
})

test('a view that was not created is not silently left out', () => {
  const db = new DatabaseSync(':memory:')
  createViews(db, [mailboxes])
  assert.throws(() => fold(db, projections, events), /messages was not created/)
})

test('a handler sees the events after its own checkpoint, each once and in order', () => {
  const seen: string[] = []
  const note = (_: unknown, event: Recorded) => void seen.push(event.position)
  const types = [...new Set(events.map(({ type }) => type))]
  const on = Object.fromEntries(types.map((type): [EventType, typeof note] => [type, note]))
  const watcher: Projection = { name: 'watcher', version: 1, tables: '', on }
  const db = new DatabaseSync(':memory:')
  createViews(db, [watcher])
  fold(db, [watcher], events.slice(0, 5))
  fold(db, [watcher], events.slice(2))
  fold(db, [watcher], [])
  assert.equal(
    seen,
    events.map(({ position }) => position),
  )
})

test.run()
