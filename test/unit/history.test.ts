import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { figuresOf } from '../../projections/figures.ts'
import { countMaildrop, maildropOf } from '../../projections/maildrops.ts'
import { listMailboxes } from '../../projections/mailboxes.ts'
import { listMessages } from '../../projections/messages.ts'
import { viewReader } from '../../projections/projection.ts'
import { projections } from '../../projections/projections.ts'
import { fold } from '../../projections/runner.ts'
import { asGatewayError } from '../../src/core/errors.ts'
import type { Recorded } from '../../src/core/events.ts'
import { origin, type Position } from '../../src/core/ids.ts'
import type { Moment } from '../../src/core/moment.ts'
import type { EventLog } from '../../src/core/ports.ts'
import { UnreadableEvent } from '../../src/core/unreadableEvent.ts'
import { type History, openHistory, type PastItem, type Question } from '../../src/history.ts'
import { arrived, created, reserved, suspended, updated } from './projectionsFacts.ts'
import { emptyViews, mailboxId, messageId, recorded } from './projectionsGiven.ts'
import { logAfter, steps } from './randomHistories.ts'

const test = suite('history')
const domain = 'archive.example.org'

type Wanted = { readonly view: 'mailboxes' } | { readonly view: 'messages' | 'maildrop'; readonly mailbox: string }

/** All pages of an answer. */
const whole = async (history: History, wanted: Wanted, moment: Moment, limit = 3): Promise<readonly PastItem[]> => {
  const items: PastItem[] = []
  for (let after: Position | undefined; ;) {
    const page = await history.ask({ ...wanted, after, limit }, moment)
    items.push(...page.items)
    if (page.next === undefined) return items
    after = page.next
  }
}

/** What the live views answer, taken down after every single event. */
const takenDown = (events: readonly Recorded[]) => {
  const db = emptyViews()
  const reader = viewReader(db)
  const all = { limit: 1000 }
  const answers = () => {
    const mailboxes = listMailboxes(reader, all).items.map(({ streamRevision, keyring, ...mailbox }) => ({
      ...keyring,
      ...mailbox,
      address: `${mailbox.mailboxId}@${domain}`,
      messages: countMaildrop(reader, mailbox.mailboxId),
      figures: figuresOf(reader, [mailbox.mailboxId])(mailbox.mailboxId),
    }))
    const of = mailboxes.map(({ mailboxId }) => ({
      mailboxId,
      messages: listMessages(reader, { mailboxId, ...all }).items,
      maildrop: maildropOf(reader, mailboxId, all).items,
    }))
    return { mailboxes, of }
  }
  const live = [answers()]
  for (const event of events) {
    fold(db, projections, [event])
    live.push(answers())
  }
  db.close()
  return live
}

/** The same, asked of the past. */
const askedFor = async (history: History, moment: Moment) => {
  const mailboxes = await whole(history, { view: 'mailboxes' }, moment)
  const of = []
  for (const { mailboxId: mailbox } of mailboxes as readonly { readonly mailboxId: string }[]) {
    const messages = await whole(history, { view: 'messages', mailbox }, moment)
    of.push({ mailboxId: mailbox, messages, maildrop: await whole(history, { view: 'maildrop', mailbox }, moment, 2) })
  }
  return { mailboxes, of }
}

const inTurn = <T>(items: readonly T[], seed: number) =>
  items.map((item, index) => ({ item, key: (index * 7919 + seed) % 101 })).toSorted((a, b) => a.key - b.key)

test('the answer as of any position, or of any time, is the one that the live views gave then', () =>
  fc.assert(
    fc.asyncProperty(steps, fc.nat(1000), async (wanted, seed) => {
      const log = await logAfter(wanted)
      const events = await log.readAll(origin, 10_000)
      const live = takenDown(events)
      const history = openHistory({ log, domain })
      // In any order: forwards it goes on, backwards it begins anew.
      for (const { item: count } of inTurn([...live.keys()], seed)) {
        const position = events[count - 1]?.position ?? origin
        assert.equal(await askedFor(history, { position }), live[count])
      }
      const times = [...new Set(events.map(({ recordedAt }) => Date.parse(recordedAt)))].flatMap((at) => [at - 1, at])
      for (const { item: at } of inTurn(times, seed)) {
        const later = events.findIndex(({ recordedAt }) => Date.parse(recordedAt) > at)
        assert.equal(await askedFor(history, { time: new Date(at) }), live[later === -1 ? events.length : later])
      }
      assert.equal(await askedFor(history, 'now'), live.at(-1))
      history.close()
      await log.close()
    }),
    { numRuns: 60 },
  ))

/** A log of these very events. */
const logOf = (events: readonly Recorded[]): Pick<EventLog, 'readAll' | 'head'> => ({
  readAll: (position, limit) => Promise.resolve(events.filter((event) => event.position > position).slice(0, limit)),
  head: () => Promise.resolve(events.at(-1)?.position ?? origin),
})

const life = await recorded(reserved('a@example.org', 1), created(1), arrived(1, 1), arrived(2, 1), updated(1, 1))
const maildropAt = async (history: History, moment: Moment) =>
  (await whole(history, { view: 'maildrop', mailbox: mailboxId(1) }, moment)).map((item) =>
    'object' in item ? item.messageId : '',
  )

const codeOf = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error === undefined ? undefined : asGatewayError(error).code
}

test('as of a time is the log before its first later event, though the clock went back after it', async () => {
  const times = ['12:00', '12:00', '12:01', '12:01', '12:09', '12:09', '12:02']
  const events = life.map((event, index) => ({ ...event, recordedAt: `2026-03-03T${times[index] ?? ''}:00.000Z` }))
  const history = openHistory({ log: logOf(events), domain })
  const at = (time: string) => maildropAt(history, { time: new Date(`2026-03-03T${time}:00Z`) })
  assert.equal(await at('12:09'), [messageId(2)])
  // The deletion was recorded at 12:02, but after something at 12:09.
  assert.equal(await at('12:05'), [messageId(1)])
  history.close()
})

test('an answer says as of which event it is, so that the next page can be asked for the same', async () => {
  const history = openHistory({ log: logOf(life), domain })
  const asked = await history.ask({ view: 'mailboxes', limit: 1 }, { time: new Date(life[3]?.recordedAt ?? '') })
  assert.equal(asked.asOf, { position: life[3]?.position, recordedAt: life[3]?.recordedAt })
  const before = await history.ask({ view: 'mailboxes', limit: 1 }, { time: new Date(0) })
  assert.equal(before, {
    asOf: { position: origin, recordedAt: undefined },
    mailboxId: undefined,
    items: [],
    next: undefined,
  })
  history.close()
})

test('a mailbox is named as it could be named then', async () => {
  const history = openHistory({ log: logOf(life), domain })
  const ask = (moment: Moment) => history.ask({ view: 'maildrop', mailbox: 'a@example.org', limit: 9 }, moment)
  assert.is((await ask('now')).items.length, 1)
  const [first] = life
  assert.is(await codeOf(ask({ position: first?.position ?? origin })), 'mailbox-unknown')
  history.close()
})

test('a position that the log does not hold is refused', async () => {
  const history = openHistory({ log: logOf(life), domain })
  for (const position of ['9999999999999999', 'nonsense', '00'])
    assert.is(await codeOf(maildropAt(history, { position: position as Position })), 'request-invalid', position)
  assert.is((await maildropAt(history, 'now')).length, 1)
  history.close()
})

test('later pages of one moment read nothing again, and a later moment only what lies between', async () => {
  const asked: string[] = []
  const log = logOf(life)
  const readAll: EventLog['readAll'] = (position, limit) => {
    asked.push(position)
    return log.readAll(position, limit)
  }
  const history = openHistory({ log: { ...log, readAll }, domain })
  const position = life[3]?.position ?? origin
  await maildropAt(history, { position })
  await maildropAt(history, 'now')
  assert.equal(asked.filter((one) => one === origin).length, 1)
  await maildropAt(history, { position })
  assert.equal(asked.filter((one) => one === origin).length, 2)
  history.close()
})

test('what stands before an event that cannot be read is answered; beyond it, the failure says which it is', async () => {
  const place = { position: '0000000000000009' as Position, stream: 'gateway-a', revision: 0, type: 'New' } as const
  const log = logOf([...life, ...(await recorded(suspended(1)))])
  const readAll: EventLog['readAll'] = async (position, limit) => {
    const events = (await log.readAll(position, limit)).slice(0, Math.max(0, life.length - Number(position)))
    if (Number(position) + limit > life.length) throw new UnreadableEvent(place, { detail: 'from the future' })
    return events
  }
  const history = openHistory({ log: { readAll, head: () => Promise.resolve(place.position) }, domain })
  const position = life.at(-1)?.position ?? origin
  assert.equal(await maildropAt(history, { position }), [messageId(2)])
  assert.is(await codeOf(maildropAt(history, 'now')), 'event-unreadable')
  history.close()
})

test('whoever goes away stops the work', async () => {
  const history = openHistory({ log: logOf(life), domain })
  const question: Question = { view: 'mailboxes', limit: 1 }
  const reason = new Error('gone')
  const failure: unknown = await history
    .ask(question, 'now', AbortSignal.abort(reason))
    .catch((error: unknown) => error)
  assert.is(failure, reason)
  assert.is((await history.ask(question, 'now')).items.length, 1)
  history.close()
})

test.run()
