import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { maildropStream, messageStream } from '../../src/core/streams.ts'
import type { AdminApi } from '../../src/http/buildApp.ts'
import { mailboxId } from './httpDoubles.ts'
import { httpWorld } from './httpWorld.ts'

const test = suite('http history')
const unusual: { ask?: AdminApi['history']['ask'] } = {}
const { world, ask } = await httpWorld(test, {
  given: () => delete unusual.ask,
  api: ({ api }) => ({ ...api, history: { ask: (...asked) => (unusual.ask ?? api.history.ask)(...asked) } }),
})
const { happened, mailboxExists, messageExists } = world

const get = (path: string) => ask('GET', path)
type Item = Readonly<Record<string, unknown>>
type Answer = {
  readonly asOf: { readonly position: string | null; readonly recordedAt: string | null }
  readonly next: string | null
} & Readonly<Record<'mailboxes' | 'messages' | 'maildrop', readonly Item[]>>
const history = async (query: string) => (await get(`/v1/history/${query}`)).json<Answer>()

/** Two messages, of which one is retrieved and deleted a day later. */
const life = () => {
  mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  const ids = [messageExists(), messageExists()] as const
  const [messageId] = ids
  const nextDay = new Date('2026-03-02T10:00:00.000Z')
  const sessionId = 's' as never
  happened(messageStream(messageId), { type: 'MessageRetrieved', data: { messageId, mailboxId, sessionId } }, nextDay)
  const quit = { mailboxId, sessionId, deleted: [messageId] }
  happened(maildropStream(mailboxId), { type: 'MaildropUpdated', data: quit }, nextDay)
  return ids
}
const idsIn = (items: readonly Item[]) => items.map(({ messageId }) => messageId)

test('a maildrop is what it was on that day', async () => {
  const [first, second] = life()
  const maildrop = async (query: string) => idsIn((await history(`maildrop?mailbox=finance${query}`)).maildrop)
  assert.equal(await maildrop('&at=2026-03-02'), [first, second])
  assert.equal(await maildrop('&at=2026-03-02T10:00:00Z'), [second])
  assert.equal(await maildrop(''), [second])
})

test('messages are shown as they are today, with what was not known then as null', async () => {
  const [first] = life()
  const then = (await history(`messages?mailbox=${mailboxId}&at=2026-03-02`)).messages
  const now = (await history(`messages?mailbox=${mailboxId}`)).messages
  assert.equal([then[0]?.['lastRetrievedAt'], then[0]?.['deletedAt'], then[0]?.['retrievals']], [null, null, 0])
  assert.equal([now[0]?.['deletedAt'], now[0]?.['retrievals']], ['2026-03-02T10:00:00.000Z', 1])
  const shown = (await get(`/v1/messages/${first}`)).json<Item>()
  assert.equal({ ...shown, object: now[0]?.['object'] }, now[0])
})

test('mailboxes count their messages of then', async () => {
  life()
  const { asOf, mailboxes } = await history('mailboxes?position=0000000000000004')
  assert.equal(asOf, { position: '0000000000000004', recordedAt: '2026-03-01T10:00:00.000Z' })
  assert.equal(mailboxes, [
    {
      mailboxId,
      name: 'Finance',
      address: `${mailboxId}@archive.example.com`,
      aliases: ['finance@archive.example.com'],
      state: 'active',
      hold: null,
      grace: null,
      recipient: 'age1recipient',
      generation: 1,
      generations: [
        {
          generation: 1,
          recipient: 'age1recipient',
          createdAt: '2026-03-01T10:00:00.000Z',
          wrappedTo: 'password',
          sha256: '00',
          recovery: null,
        },
      ],
      recovery: null,
      proxy: { targets: [], networks: [] },
      senderPolicy: { networks: [], requires: [], certificateNames: [], refusal: 'temporary' },
      createdAt: '2026-03-01T10:00:00.000Z',
      revision: 0,
      messages: 1,
      figures: {
        messages: 1,
        octets: 1000,
        sealedMessages: 1,
        sealedOctets: 1200,
        oldestAt: '2026-03-01T10:00:00.000Z',
        lastReceivedAt: '2026-03-01T10:00:00.000Z',
        lastRetrievedAt: null,
      },
    },
  ])
})

test('pages are asked for with the position that the first one says', async () => {
  const ids = life()
  const first = await history(`messages?mailbox=${mailboxId}&limit=1`)
  messageExists()
  const rest = await history(
    `messages?mailbox=${mailboxId}&position=${first.asOf.position ?? ''}&after=${first.next ?? ''}`,
  )
  assert.equal([...idsIn(first.messages), ...idsIn(rest.messages)], ids)
})

test('before the first event there was nothing', async () => {
  life()
  assert.equal(await history('mailboxes?at=1999-12-31'), {
    asOf: { position: null, recordedAt: null },
    mailboxes: [],
    next: null,
  })
})

test('what cannot be asked is refused, and says why', async () => {
  life()
  const refused = {
    maildrop: [400, 'request-invalid', /mailbox/],
    'maildrop?mailbox=nobody': [404, 'mailbox-unknown', /no mailbox nobody at that moment/],
    'mailboxes?at=yesterday': [400, 'request-invalid', /querystring\/at/],
    'mailboxes?at=2026-03-02&position=1': [400, 'request-invalid', /not both/],
    'mailboxes?position=9999999999999999': [400, 'request-invalid', /no event at position 9999999999999999/],
    'mailboxes?mailbox=finance': [400, 'request-invalid', /additional/],
  } as const
  for (const [query, [status, code, detail]] of Object.entries(refused)) {
    const answer = await get(`/v1/history/${query}`)
    const problem = answer.json<{ readonly code: string; readonly detail: string }>()
    assert.equal([answer.statusCode, problem.code], [status, code], query)
    assert.match(problem.detail, detail)
  }
})

test('too many questions at once are put off', async () => {
  unusual.ask = () => Promise.reject(new GatewayError('overloaded'))
  const answer = await get('/v1/history/mailboxes')
  assert.is(answer.statusCode, 503)
  assert.equal([answer.json<Item>()['code'], answer.json<Item>()['retry']], ['overloaded', true])
})

test.run()
