import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { EventData } from '../../src/core/events.ts'
import { newSessionId } from '../../src/core/ids.ts'
import { messageStream, sessionStream } from '../../src/core/streams.ts'
import { transcriptDigest } from '../../src/core/transcriptDigest.ts'
import { mailboxId } from './httpDoubles.ts'
import { httpWorld } from './httpWorld.ts'

const test = suite('http read')
const { world, ask: askApi } = await httpWorld(test)
const { happened, mailboxExists, messageExists } = world

type Answer = Readonly<Record<string, unknown>>
const ask = (path: string) => askApi('GET', path)
const get = async <T = Answer>(path: string): Promise<T> => (await ask(path)).json<T>()
const refused = async (path: string) => {
  const answer = await ask(path)
  return [answer.statusCode, answer.json<{ readonly code: string }>().code]
}

type Page = { readonly next: string | null } & Readonly<Record<string, readonly Answer[]>>
const all = async (list: string, query: string) => {
  const found: Answer[] = []
  for (let next: string | null = ''; next !== null;) {
    const page: Page = await get<Page>(`/v1/${list}?${query}&after=${next}`)
    found.push(...(page[list] ?? []))
    next = page.next
  }
  return found
}

const other = 'mbx-00000000000000000000000000000002' as typeof mailboxId

test('messages are listed of one mailbox or of all, by what they are, in either order', async () => {
  mailboxExists(mailboxId, 'Finance')
  mailboxExists(other, 'Tax')
  const ids = [messageExists(), messageExists(other), messageExists()]
  happened(messageStream(ids[0] ?? ('' as never)), {
    type: 'MessagePurged',
    data: { messageId: ids[0] ?? ('' as never), mailboxId },
  })
  const listed = async (query: string) =>
    (await all('messages', query)).map((one) => ids.indexOf(one['messageId'] as never))
  assert.equal(await listed('limit=1'), [0, 1, 2])
  assert.equal(await listed('limit=1&order=newest'), [2, 1, 0])
  assert.equal(await listed(`limit=1&mailbox=${mailboxId}`), [0, 2])
  assert.equal(await listed('limit=1&state=purged'), [0])
  assert.equal(await listed('source=smtp-proxy'), [])
  assert.equal(await listed('since=2026-03-01&until=2026-03-01T10:00:00Z'), [0, 1, 2])
  assert.equal(await listed('since=2026-03-02'), [])
  assert.equal(await refused('/v1/messages?mailbox=nobody'), [404, 'mailbox-unknown'])
})

test('a cursor that no page has given, or one of another list, is refused', async () => {
  mailboxExists(mailboxId, 'Finance')
  mailboxExists(other, 'Tax')
  messageExists()
  messageExists()
  const next = async (path: string) => (await get<{ readonly next: string }>(path)).next
  const ofMessages = await next('/v1/messages?limit=1')
  const ofMailboxes = await next('/v1/mailboxes?limit=1')
  assert.is((await ask(`/v1/messages?limit=2&after=${ofMessages}`)).statusCode, 200)
  const forged = [
    `/v1/messages?after=${ofMailboxes}`,
    `/v1/messages?state=deleted&after=${ofMessages}`,
    `/v1/messages?order=newest&after=${ofMessages}`,
    `/v1/messages?mailbox=${mailboxId}&after=${ofMessages}`,
    `/v1/messages?after=${ofMessages.slice(0, -1)}`,
    `/v1/messages?after=${Buffer.from(Buffer.from(ofMessages, 'base64url').map((octet, at) => (at === 20 ? octet ^ 1 : octet))).toString('base64url')}`,
    '/v1/messages?after=0000000000000001',
    '/v1/mailboxes?after=0000000000000001',
    '/v1/events?after=0000000000000001',
    '/v1/sessions?after=AAAA',
    '/v1/history/mailboxes?after=0000000000000001',
  ]
  for (const path of forged) assert.equal(await refused(path), [400, 'request-invalid'], path)
})

const transcriptOf = (session: string) =>
  `transcript 1\nsession ${session}\nmachine smtpSession 1\ninput {}\n0 > greeted 220\n12 ehlo > ready 250\nend complete\n`

/** A session that has ended, and one that lives. */
const twoSessions = (outcome: EventData['SessionClosed']['outcome'] = 'quit') => {
  const [past, live] = [newSessionId(), newSessionId()]
  const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' }
  happened(sessionStream(past), { type: 'SessionOpened', data: { protocol: 'smtp', remoteAddress: '192.0.2.1', tls } })
  happened(sessionStream(live), { type: 'SessionOpened', data: { protocol: 'pop3s', remoteAddress: '192.0.2.2', tls } })
  happened(sessionStream(live), { type: 'LoginAccepted', data: { mailboxId, tls } })
  const transcript = transcriptOf(past)
  const closed = { outcome, octetsIn: 10, octetsOut: 20, transcript, transcriptSha256: transcriptDigest(transcript) }
  happened(sessionStream(past), { type: 'SessionClosed', data: closed })
  return { past, live }
}

test('sessions are listed, live and past, by peer, mailbox and end', async () => {
  mailboxExists(mailboxId, 'Finance')
  const { past, live } = twoSessions()
  const listed = async (query: string) => (await all('sessions', query)).map((one) => one['sessionId'])
  assert.equal(await listed('limit=1'), [past, live])
  assert.equal(await listed('state=live'), [live])
  assert.equal(await listed('state=past&order=newest'), [past])
  assert.equal(await listed(`mailbox=${mailboxId}`), [live])
  assert.equal(await listed('remoteAddress=192.0.2.1&protocol=smtp&outcome=quit&node=one'), [past])
  assert.equal(await listed('outcome=lost'), [])
})

test('a session is shown with what was done in it, once it has ended', async () => {
  mailboxExists(mailboxId, 'Finance')
  const { past, live } = twoSessions()
  const { transcript, ...shown } = await get(`/v1/sessions/${past}`)
  assert.equal(shown['state'], 'past')
  const transcriptSha256 = transcriptDigest(transcriptOf(past))
  const steps = [
    { at: 0, event: '', state: 'greeted', replies: ['220'] },
    { at: 12, event: 'ehlo', state: 'ready', replies: ['250'] },
  ]
  const machine = { machine: 'smtpSession', version: '1' }
  assert.equal(transcript, { intact: true, sha256: transcriptSha256, ...machine, truncated: false, steps })
  assert.equal((await get(`/v1/sessions/${live}`))['transcript'], null)
  assert.equal(await refused(`/v1/sessions/${newSessionId()}`), [404, 'session-unknown'])
  assert.equal(await refused('/v1/sessions/nonsense'), [404, 'session-unknown'])
})

test('statistics tell what happened per minute, hour and day, the quiet ones too', async () => {
  mailboxExists(mailboxId, 'Finance')
  messageExists()
  messageExists()
  twoSessions()
  type Told = { readonly per: string; readonly statistics: readonly Answer[] }
  const told = (query: string) => get<Told>(`/v1/statistics?${query}`)
  const hours = await told('since=2026-03-01T09:00:00Z&until=2026-03-01T11:00:00Z')
  const quiet = { received: 0, octetsReceived: 0, retrieved: 0, octetsRetrieved: 0, refused: 0, sessions: 0 }
  assert.equal(hours, {
    per: 'hour',
    statistics: [
      { start: '2026-03-01T09:00:00.000Z', ...quiet },
      { start: '2026-03-01T10:00:00.000Z', ...quiet, received: 2, octetsReceived: 2000, sessions: 2 },
      { start: '2026-03-01T11:00:00.000Z', ...quiet },
    ],
  })
  assert.equal([(await told('per=minute')).statistics.length, (await told('per=day')).statistics.length], [60, 30])
  assert.equal((await told('per=day')).statistics.at(-1)?.['received'], 2)
})

test.run()
