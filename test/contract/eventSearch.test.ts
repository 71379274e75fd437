import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type EventFilter, isPast, matches } from '../../src/core/eventFilter.ts'
import { type EventFinder, findEvents } from '../../src/core/eventSearch.ts'
import { type Fact, type Principal, type Recorded, stamper } from '../../src/core/events.ts'
import { newCommandId, origin } from '../../src/core/ids.ts'
import type { EventLog } from '../../src/core/ports.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { failure } from './eventLogContract.ts'

const test = suite('search for events')

const directory = mkdtempSync(join(tmpdir(), 'sealpost-search-'))
const file = join(directory, 'events.db')
let now = Date.UTC(2026, 2, 3, 12)
const log = sqliteLog({ file, clock: { now: () => new Date(now) } })
test.after(async () => {
  await log.close()
  rmSync(directory, { recursive: true })
})

const principals = ['system', 'administrator:anna', 'token:say"so"', 'peer:192.0.2.1'] as const
/** One is what another's principal is: the text of the metadata alone does not tell them apart. */
const correlations = ['request-1', 'administrator:anna', 'back\\slash'] as const
const facts: readonly Fact[] = [
  { type: 'GatewayStopped', data: { reason: 'system' } },
  { type: 'MailboxSuspended', data: { mailboxId: `mbx-${'0'.repeat(32)}` as never, reason: '"principal":"system"' } },
]

for (let n = 0; n < 60; n++) {
  const cause = { principal: principals[n % 4] as Principal, correlationId: correlations[(n >> 2) % 3] ?? '' }
  const event = stamper('one', () => new Date(now))(facts[(n >> 1) % 2] as Fact, { ...cause, causationId: 'c' })
  await log.append({ stream: 'gateway-one', expected: 'any', commandId: newCommandId(), events: [event] })
  if (n % 3 === 0) now += 1000
}
const all = await log.readAll(origin, 1000)

const second = fc.option(fc.nat(25), { nil: undefined })
const timeOf = (seconds: number | undefined) =>
  seconds === undefined ? undefined : new Date(Date.UTC(2026, 2, 3, 12, 0, seconds))
const filters = fc.record({
  type: fc.constantFrom(undefined, 'GatewayStopped' as const, 'MailboxSuspended' as const, 'MailboxCreated' as const),
  principal: fc.constantFrom(undefined, ...principals),
  correlation: fc.constantFrom(undefined, ...correlations),
  since: second.map(timeOf),
  until: second.map(timeOf),
})

const pagesOf = async (
  from: Pick<EventLog, 'readAll'> & Partial<EventFinder>,
  filter: EventFilter,
  size: { readonly scanned: number; readonly limit: number },
) => {
  const events: Recorded[] = []
  for (let after = origin; ;) {
    const page = await findEvents(from, { filter, after, ...size })
    assert.ok(page.events.length <= size.limit)
    events.push(...page.events)
    if (page.next === undefined) return events
    after = page.next
  }
}

const sizes = fc.record({ scanned: fc.integer({ min: 1, max: 70 }), limit: fc.integer({ min: 1, max: 20 }) })

test('whatever is asked for, a log that looks by itself and one that is read find the same, once and in order', () =>
  fc.assert(
    fc.asyncProperty(filters, sizes, async (filter, size) => {
      const past = all.findIndex((event) => isPast(filter, event))
      const expected = all.slice(0, past === -1 ? undefined : past).filter((event) => matches(filter, event))
      assert.equal(await pagesOf(log, filter, size), expected)
      assert.equal(await pagesOf({ readAll: log.readAll }, filter, size), expected)
    }),
    { numRuns: 200 },
  ))

test('what stands before an event that cannot be read is found, and then which it is', async () => {
  const other = join(directory, 'other.db')
  const broken = sqliteLog({ file: other, clock: { now: () => new Date(now) } })
  const stamp = stamper('one', () => new Date(now))
  const cause = { principal: 'system', correlationId: 'c', causationId: 'c' } as const
  const events = [0, 1, 2].map(() => stamp(facts[0] as Fact, cause))
  await broken.append({ stream: 'gateway-one', expected: 'any', commandId: newCommandId(), events })
  const db = new DatabaseSync(other)
  db.exec(`insert into event select 4, stream, 3, 'later', 'MessageForwarded', data, metadata, recordedAt
    from event where position = 1`)
  db.close()
  const look = { filter: { principal: 'system' as const }, scanned: 10, limit: 10 }
  const page = await broken.findEvents({ ...look, after: origin })
  assert.equal(
    page.events.map(({ revision }) => revision),
    [0, 1, 2],
  )
  assert.is(await failure(broken.findEvents({ ...look, after: page.next ?? origin })), 'event-unreadable')
  await broken.close()
})

test.run()
