import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Principal, Recorded } from '../../src/core/events.ts'
import { mailboxId } from './httpDoubles.ts'
import { httpWorld } from './httpWorld.ts'

const test = suite('http events')
const { world, ask } = await httpWorld(test)
const { happened, mailboxExists, messageExists } = world

type Page = { readonly events: readonly Recorded[]; readonly next: string | null }

const get = (query: string, accept = 'application/json') => ask('GET', `/v1/events${query}`, { headers: { accept } })

const page = async (query: string): Promise<Page> => (await get(query)).json()

const all = async (query: string) => {
  const events: Recorded[] = []
  let pages = 0
  for (let next: string | null = null; ;) {
    const one: Page = await page(`?${query}${next === null ? '' : `&after=${next}`}`)
    pages++
    events.push(...one.events)
    if (one.next === null) return { events, pages }
    next = one.next
  }
}

const suspendedAt = (...times: readonly string[]) => {
  mailboxExists(mailboxId, 'Finance')
  for (const time of times)
    happened(`mailbox-${mailboxId}`, { type: 'MailboxSuspended', data: { mailboxId, reason: 'r' } }, new Date(time))
}

test('an event is shown whole', async () => {
  mailboxExists(mailboxId, 'Finance')
  const { events, next } = await page('')
  assert.is(next, null)
  assert.equal(events, [
    {
      id: 'event-1',
      stream: `mailbox-${mailboxId}`,
      revision: 0,
      position: '0000000000000001',
      recordedAt: '2026-03-01T10:00:00.000Z',
      type: 'MailboxCreated',
      data: {
        mailboxId,
        name: 'Finance',
        aliases: [],
        recipient: 'age1recipient',
        generation: 1,
        identitySha256: '00',
      },
      metadata: {
        at: '2026-03-01T10:00:00.000Z',
        principal: 'system',
        $correlationId: 'c',
        $causationId: 'c',
        node: 'one',
        version: 3,
      },
    },
  ])
})

test('pages of any size hold every event once and in order, of the log and of one stream', async () => {
  mailboxExists(mailboxId, 'Finance')
  for (let number = 0; number < 5; number++) messageExists()
  const first = (await all('')).events
  assert.is(first.length, 11)
  for (const limit of [1, 2, 3, 10, 11, 12]) {
    assert.equal((await all(`limit=${limit}`)).events, first)
    const stream = first[1]?.stream ?? ''
    const ofStream = first.filter((event) => event.stream === stream)
    assert.equal((await all(`limit=${limit}&stream=${stream}`)).events, ofStream)
  }
})

test('a type is picked out', async () => {
  mailboxExists(mailboxId, 'Finance')
  messageExists()
  messageExists()
  const { events } = await all('type=MessageSealed&limit=1')
  assert.equal(
    events.map(({ type }) => type),
    ['MessageSealed', 'MessageSealed'],
  )
})

test('what one principal caused, and what belongs to one session, is picked out', async () => {
  mailboxExists(mailboxId, 'Finance')
  messageExists()
  const by = (principal: Principal, $correlationId: string) =>
    happened('gateway-one', { type: 'GatewayStopped', data: { reason: $correlationId } }, undefined, {
      principal,
      $correlationId,
    })
  by('administrator:anna', 'request-1')
  by('peer:192.0.2.1', 'session-1')
  by('peer:192.0.2.1', 'session-2')
  const reasons = async (query: string) =>
    (await all(`limit=1&${query}`)).events.map(({ data }) => (data as { readonly reason?: string }).reason)
  assert.equal(await reasons('principal=peer:192.0.2.1'), ['session-1', 'session-2'])
  assert.equal(await reasons('principal=peer:192.0.2.1&correlation=session-2'), ['session-2'])
  assert.equal(await reasons('correlation=request-1'), ['request-1'])
  assert.equal(await reasons('principal=administrator:anna&correlation=session-1'), [])
  for (const wrong of ['principal=anna', 'principal=peer:', 'correlation=%00', 'correlation='])
    assert.is((await get(`?${wrong}`)).statusCode, 400, wrong)
})

test('a search through a long log comes in bounded pages, empty ones too', async () => {
  for (let number = 0; number < 2_500; number++)
    happened('gateway-one', { type: 'GatewayStopped', data: { reason: 'r' } })
  happened('gateway-one', { type: 'GatewayStarted', data: { configSha256: '00' } })
  const { events, pages } = await all('type=GatewayStarted')
  assert.equal([events.length, pages], [1, 3])
})

test('since and until hold both their ends, by the time of the log', async () => {
  const times = ['2026-03-01T12:00:00.000Z', '2026-03-02T00:00:00.000Z', '2026-03-02T12:00:00.000Z']
  suspendedAt(...times)
  const between = async (query: string) =>
    (await all(`type=MailboxSuspended&${query}`)).events.map(({ recordedAt }) => recordedAt)
  assert.equal(await between('since=2026-03-02'), times.slice(1))
  assert.equal(await between('until=2026-03-02'), times.slice(0, 2))
  assert.equal(await between('since=2026-03-02T00:00:00Z&until=2026-03-02T01:00:00%2B01:00'), times.slice(1, 2))
})

test('as of a time is the log before its first later event, though the clock went back after it', async () => {
  suspendedAt('2026-03-01T11:00:00.000Z', '2026-03-01T13:00:00.000Z', '2026-03-01T11:30:00.000Z')
  const { events } = await all('type=MailboxSuspended&until=2026-03-01T12:00:00Z')
  assert.equal(
    events.map(({ recordedAt }) => recordedAt),
    ['2026-03-01T11:00:00.000Z'],
  )
})

test('who accepts NDJSON gets one event a line, and the next page in a header', async () => {
  mailboxExists(mailboxId, 'Finance')
  messageExists()
  const answer = await get('?limit=2', 'application/x-ndjson')
  const { events, next } = await page('?limit=2')
  assert.match(String(answer.headers['content-type']), /^application\/x-ndjson/)
  const after = (cursor: unknown) => page(`?limit=2&after=${String(cursor)}`)
  assert.equal((await after(answer.headers['sealpost-next'])).events, (await after(next)).events)
  assert.equal(
    answer.body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    events,
  )
  assert.is((await get('', 'application/x-ndjson')).headers['sealpost-next'], undefined)
})

test('what stands before an event that cannot be read is shown; the page that begins with it says which it is', async () => {
  mailboxExists(mailboxId, 'Finance')
  messageExists()
  world.unreadableAfter(3)
  for (const [query, count] of Object.entries({ '': 3, [`stream=mailbox-${mailboxId}`]: 1 })) {
    const shown: Recorded[] = []
    let answer = await get(`?${query}`)
    while (answer.statusCode === 200) {
      const { events, next } = answer.json<Page>()
      shown.push(...events)
      answer = await get(`?${query}&after=${next ?? 'none'}`)
    }
    assert.is(shown.length, count)
    assert.is(answer.statusCode, 503)
    const { code, detail } = answer.json<{ readonly code: string; readonly detail: string }>()
    assert.is(code, 'event-unreadable')
    assert.match(detail, 'position 0000000000000004, type MessageForwarded')
  }
})

test('an empty log is an empty page', async () => {
  assert.equal(await page(''), { events: [], next: null })
  assert.is((await get('', 'application/x-ndjson')).body, '')
})

test.run()
