import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { figuresOf } from '../../projections/figures.ts'
import { countMaildrop, maildropOf } from '../../projections/maildrops.ts'
import { listMailboxes } from '../../projections/mailboxes.ts'
import { findMessages, listMessages, type Message, type MessageFilter } from '../../projections/messages.ts'
import { type ViewReader, viewReader } from '../../projections/projection.ts'
import { projections } from '../../projections/projections.ts'
import { fold } from '../../projections/runner.ts'
import type { Order } from '../../projections/search.ts'
import { findSessions, listSessions, type Session, type SessionFilter } from '../../projections/sessions.ts'
import { type Statistic, statisticsBetween, startOf, type Unit } from '../../projections/statistics.ts'
import type { Recorded } from '../../src/core/events.ts'
import { origin, type Position } from '../../src/core/ids.ts'
import { arrived, closed, created, loggedIn, opened, retrieved, submitted, updated } from './projectionsFacts.ts'
import { emptyViews, mailboxId, messageId, recorded, viewsAfter } from './projectionsGiven.ts'
import { logAfter, steps } from './randomHistories.ts'

const test = suite('search')

type Paged = { readonly order?: Order; readonly limit?: number }
const pages = <T>(
  find: (page: { order: Order; limit: number; after: Position | undefined }) => {
    readonly items: readonly T[]
    readonly next: Position | undefined
  },
  { order = 'oldest', limit = 2 }: Paged,
): readonly T[] => {
  const items: T[] = []
  for (let after: Position | undefined; ;) {
    const page = find({ order, limit, after })
    items.push(...page.items)
    if (page.next === undefined) return items
    after = page.next
  }
}
const messagesFound = (reader: ViewReader, filter: Partial<MessageFilter> = {}, paged: Paged = {}) =>
  pages<Message>((page) => findMessages(reader, { period: {}, ...filter }, page), paged)
const sessionsFound = (reader: ViewReader, filter: Partial<SessionFilter> = {}, paged: Paged = {}) =>
  pages<Session>((page) => findSessions(reader, { period: {}, ...filter }, page), paged)

const viewsOf = (events: readonly Recorded[]) => {
  const db = emptyViews()
  fold(db, projections, events)
  return { reader: viewReader(db), close: () => db.close() }
}

/** As the simple way counts them: by looking at every message. */
const countedFigures = (reader: ViewReader, id: ReturnType<typeof mailboxId>) => {
  const all = listMessages(reader, { mailboxId: id, limit: 1000 }).items
  const [first] = maildropOf(reader, id, { limit: 1 }).items
  const retrievable = all.filter(({ state }) => state === 'retrievable')
  const sealed = all.filter(({ state }) => state !== 'purged')
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)
  return {
    messages: countMaildrop(reader, id),
    octets: sum(retrievable.map(({ size }) => size)),
    sealedMessages: sealed.length,
    sealedOctets: sum(sealed.map(({ sealedSize }) => sealedSize)),
    oldestAt: all.find((one) => one.messageId === first?.messageId)?.receivedAt ?? null,
    lastReceivedAt:
      all
        .map(({ receivedAt }) => receivedAt)
        .toSorted()
        .at(-1) ?? null,
    lastRetrievedAt:
      all
        .flatMap(({ lastRetrievedAt }) => lastRetrievedAt ?? [])
        .toSorted()
        .at(-1) ?? null,
  }
}

test("a mailbox's figures are what a look at every message counts, after any history", () =>
  fc.assert(
    fc.asyncProperty(steps, async (wanted) => {
      const log = await logAfter(wanted)
      const { reader, close } = viewsOf(await log.readAll(origin, 10_000))
      const boxes = listMailboxes(reader, { limit: 1000 }).items.map((one) => one.mailboxId)
      const figures = figuresOf(reader, boxes)
      for (const box of boxes) assert.equal(figures(box), countedFigures(reader, box))
      close()
    }),
    { numRuns: 60 },
  ))

test('whatever the filter, the pages hold what a look at every message finds, once and in order', () =>
  fc.assert(
    fc.asyncProperty(
      steps,
      fc.record({
        limit: fc.integer({ min: 1, max: 5 }),
        order: fc.constantFrom('oldest' as const, 'newest' as const),
        ofMailbox: fc.boolean(),
        source: fc.constantFrom(undefined, 'journal' as const, 'smtp-proxy' as const),
        state: fc.constantFrom(undefined, 'retrievable', 'deleted', 'purging', 'purged', 'pending', 'refused'),
        since: fc.option(fc.nat(4), { nil: undefined }),
        until: fc.option(fc.nat(4), { nil: undefined }),
      }),
      async (wanted, { limit, order, ofMailbox, source, state, since, until }) => {
        const log = await logAfter(wanted)
        const { reader, close } = viewsOf(await log.readAll(origin, 10_000))
        const time = (seconds: number | undefined) =>
          seconds === undefined ? undefined : new Date(Date.UTC(2026, 0, 1, 12, 0, seconds)).toISOString()
        const period = { since: time(since), until: time(until) }
        const [box] = listMailboxes(reader, { limit: 1 }).items.map((one) => one.mailboxId)
        const of = ofMailbox ? box : undefined
        const found = messagesFound(reader, { mailboxId: of, source, state, period }, { limit, order })
        const matching = messagesFound(reader, { mailboxId: of }, { limit: 1000 }).filter(
          (one) =>
            (source === undefined || one.source === source) &&
            (state === undefined || one.state === state) &&
            (period.since === undefined || one.receivedAt >= period.since) &&
            (period.until === undefined || one.receivedAt <= period.until),
        )
        assert.equal(found, order === 'oldest' ? matching : matching.toReversed())
        close()
      },
    ),
    { numRuns: 60 },
  ))

test('what arrives between two pages is neither skipped nor shown twice, in either order', async () => {
  const events = await recorded(created(1), ...[1, 2, 3, 4, 5].map((n) => arrived(n, 1)))
  for (const order of ['oldest', 'newest'] as const) {
    const db = emptyViews()
    const reader = viewReader(db)
    fold(db, projections, events.slice(0, 7))
    const first = findMessages(reader, { period: {} }, { order, limit: 2 })
    fold(db, projections, events)
    const rest = findMessages(reader, { period: {} }, { order, limit: 9, after: first.next })
    const shown = [...first.items, ...rest.items].map((one) => one.messageId)
    assert.equal(shown, (order === 'oldest' ? [1, 2, 3, 4, 5] : [3, 2, 1]).map(messageId))
    db.close()
  }
})

test('a search through very many messages comes in bounded pages, empty ones too', async () => {
  const many = Array.from({ length: 4_500 }, (_, n) => arrived(n + 2, 1))
  const reader = await viewsAfter(created(1), submitted(1, 1), ...many)
  let looks = 0
  const found = pages<Message>(
    (page) => {
      looks++
      return findMessages(reader, { source: 'smtp-proxy', period: {} }, page)
    },
    { order: 'newest', limit: 10 },
  )
  assert.equal([found.map((one) => one.messageId), looks], [[messageId(1)], 10])
})

test('sessions are found by whether they live, by mailbox, peer, end and time', async () => {
  const reader = await viewsAfter(opened(1), opened(2), loggedIn(1, 4), closed(2), loggedIn(3, 4), closed(3))
  const numbers = (filter: Partial<SessionFilter>, paged: Paged = {}) =>
    sessionsFound(reader, filter, { limit: 1, ...paged }).map((one) => Number(one.sessionId.at(-1)))
  assert.equal(numbers({}), [1, 2, 3])
  assert.equal(numbers({}, { order: 'newest' }), [3, 2, 1])
  assert.equal(numbers({ state: 'live' }), [1])
  assert.equal(numbers({ state: 'past' }), [2, 3])
  assert.equal(numbers({ mailboxId: mailboxId(4) }), [1, 3])
  assert.equal(numbers({ mailboxId: mailboxId(5) }), [])
  assert.equal(numbers({ protocol: 'pop3', remoteAddress: '192.0.2.1' }), [1, 2])
  assert.equal(numbers({ protocol: 'smtp' }), [])
  assert.equal(numbers({ outcome: 'quit' }), [2, 3])
  assert.equal(numbers({ node: 'test', period: { since: '2026-01-01T12:00:02.000Z' } }), [2, 3])
  assert.equal(numbers({ period: { until: '2026-01-01T12:00:02.000Z' } }), [1, 2])
  assert.equal(numbers({ period: { since: '2027' } }), [])
  assert.equal(
    sessionsFound(reader).map(({ sessionId }) => sessionId),
    listSessions(reader, { limit: 9 }).items.map(({ sessionId }) => sessionId),
  )
})

/** As the simple way counts them: by looking at every event. */
const counted = (events: readonly Recorded[], unit: Unit) => {
  const sums = new Map<string, Omit<Statistic, 'start'>>()
  const sizes = new Map<string, number>()
  for (const event of events) {
    if (event.type === 'MessageReceived') sizes.set(event.data.messageId, event.data.size)
    const is = (type: string) => (event.type === type ? 1 : 0)
    const start = startOf(unit, event.metadata.at)
    const before = sums.get(start)
    const size = event.type === 'MessageRetrieved' ? (sizes.get(event.data.messageId) ?? NaN) : 0
    sums.set(start, {
      received: (before?.received ?? 0) + is('MessageReceived'),
      octetsReceived: (before?.octetsReceived ?? 0) + (event.type === 'MessageReceived' ? event.data.size : 0),
      retrieved: (before?.retrieved ?? 0) + is('MessageRetrieved'),
      octetsRetrieved: (before?.octetsRetrieved ?? 0) + size,
      refused: (before?.refused ?? 0) + is('LoginRefused'),
      sessions: (before?.sessions ?? 0) + is('SessionOpened'),
    })
  }
  return sums
}

test('statistics are what a look at every event counts, in minutes, hours and days, the quiet ones too', async () => {
  const events = await recorded(
    created(1),
    ...Array.from({ length: 70 }, (_, n) => arrived(n + 1, 1)),
    ...[opened(1), retrieved(1, 1), retrieved(2, 1), updated(1, 1), closed(1)],
  )
  const { reader, close } = viewsOf(events)
  const lengths = { minute: 3 * 60 + 1, hour: 4, day: 1 } as const
  for (const unit of ['minute', 'hour', 'day'] as const) {
    const between = { unit, since: '2026-01-01T10:59:00.000Z', until: '2026-01-01T13:59:59.000Z' }
    const told = statisticsBetween(reader, between)
    assert.is(told.length, lengths[unit])
    const quiet = { received: 0, octetsReceived: 0, retrieved: 0, octetsRetrieved: 0, refused: 0, sessions: 0 }
    const expected = counted(events, unit)
    assert.equal(
      told,
      told.map(({ start }) => ({ ...(expected.get(start) ?? quiet), start })),
    )
    assert.is(
      told.reduce((sum, one) => sum + one.received, 0),
      70,
    )
  }
  close()
})

test('statistics are the same whether events come one by one or in batches, by clocks that go back too', async () => {
  const events = await recorded(
    created(1),
    ...[arrived(1, 1), opened(1), retrieved(1, 1), arrived(2, 1), loggedIn(2, 1), arrived(3, 1), closed(1)],
  )
  const minutes = [59, 0, 1, 0, 59, 61, 0, 1, 61, 0]
  const atTimes = events.map((event, n) => {
    const at = new Date(Date.UTC(2026, 0, 1, 11, minutes[n % minutes.length])).toISOString()
    return { ...event, metadata: { ...event.metadata, at } }
  })
  const rowsAfter = (batch: number) => {
    const db = emptyViews()
    for (let n = 0; n < atTimes.length; n += batch) fold(db, projections, atTimes.slice(n, n + batch))
    const rows = viewReader(db).all('select * from statistic order by unit, start')
    db.close()
    return rows
  }
  assert.is(rowsAfter(1).length, 6)
  for (const batch of [2, 3, 5, 100]) assert.equal(rowsAfter(batch), rowsAfter(1))
})

test('refusals are counted in the minute in which they were, not in the one in which they were recorded', async () => {
  const minute = '2026-01-01T11:58:00.000Z'
  const reader = await viewsAfter([
    'gateway-test',
    { type: 'RefusalsCounted', data: { source: '192.0.2.9', minute, counts: { relay: 3, login: 2 } } },
  ])
  const told = statisticsBetween(reader, { unit: 'minute', since: minute, until: '2026-01-01T12:00:00.000Z' })
  assert.equal(
    told.map(({ refused }) => refused),
    [5, 0, 0],
  )
})

test.run()
