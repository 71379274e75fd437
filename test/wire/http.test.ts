import type { InjectOptions } from 'fastify'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { anySender } from '../../src/core/senderPolicy.ts'
import { newMessageId, type Position } from '../../src/core/ids.ts'
import { type App, buildApp } from '../../src/http/buildApp.ts'
import { mailboxId, password, token } from './httpDoubles.ts'
import { httpWorld } from './httpWorld.ts'

const test = suite('http')
const { world, app, ask } = await httpWorld(test)
const { calls, said, viewsAre, checksAre, mailboxExists, messageExists } = world

type Answer = Awaited<ReturnType<App['inject']>>
const isProblem = (answer: Answer, status: number, code: string) => {
  assert.is(answer.statusCode, status, answer.body)
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
  const problem: Record<string, unknown> = answer.json()
  assert.equal(Object.keys(problem).sort(), ['code', 'detail', 'retry', 'status', 'title', 'type'])
  assert.is(problem['status'], status)
  assert.is(problem['code'], code)
  return String(problem['detail'])
}

const id = newMessageId()
/** Every route, with a request that it takes. */
const routes: readonly (readonly ['GET' | 'POST' | 'PUT' | 'DELETE', string, string, object?])[] = [
  ['GET', '/v1/mailboxes', '/v1/mailboxes'],
  ['POST', '/v1/mailboxes', '/v1/mailboxes', { name: 'Finance' }],
  ['GET', '/v1/mailboxes/{id}', `/v1/mailboxes/${mailboxId}`],
  ['PUT', '/v1/mailboxes/{id}/name', `/v1/mailboxes/${mailboxId}/name`, { name: 'Tax' }],
  ['POST', '/v1/mailboxes/{id}/aliases', `/v1/mailboxes/${mailboxId}/aliases`, { add: ['tax@example.com'] }],
  ['PUT', '/v1/mailboxes/{id}/retention', `/v1/mailboxes/${mailboxId}/retention`, { grace: null }],
  ['POST', '/v1/mailboxes/{id}/delete', `/v1/mailboxes/${mailboxId}/delete`, { reason: 'gone' }],
  ['POST', '/v1/mailboxes/{id}/hold', `/v1/mailboxes/${mailboxId}/hold`, { reason: 'lawsuit' }],
  ['POST', '/v1/mailboxes/{id}/release', `/v1/mailboxes/${mailboxId}/release`, { reason: 'settled' }],
  ['POST', '/v1/mailboxes/{id}/suspend', `/v1/mailboxes/${mailboxId}/suspend`, { reason: 'left' }],
  ['POST', '/v1/mailboxes/{id}/resume', `/v1/mailboxes/${mailboxId}/resume`],
  ['PUT', '/v1/mailboxes/{id}/proxy', `/v1/mailboxes/${mailboxId}/proxy`, { targets: [], networks: [] }],
  ['PUT', '/v1/mailboxes/{id}/sender-policy', `/v1/mailboxes/${mailboxId}/sender-policy`, { ...anySender }],
  ['GET', '/v1/mailboxes/{id}/client-setup', `/v1/mailboxes/${mailboxId}/client-setup?server=pop.example.net`],
  ['GET', '/v1/mailboxes/{id}/identity', `/v1/mailboxes/${mailboxId}/identity`],
  ['POST', '/v1/mailboxes/{id}/password', `/v1/mailboxes/${mailboxId}/password`, { oldPassword: password }],
  ['POST', '/v1/mailboxes/{id}/rotate-key', `/v1/mailboxes/${mailboxId}/rotate-key`, { password }],
  ['POST', '/v1/mailboxes/{id}/reset-password', `/v1/mailboxes/${mailboxId}/reset-password`, {}],
  ['PUT', '/v1/mailboxes/{id}/recovery', `/v1/mailboxes/${mailboxId}/recovery`, { password, recipient: null }],
  ['POST', '/v1/mailboxes/{id}/recover', `/v1/mailboxes/${mailboxId}/recover`, { identity: 'AGE-SECRET-KEY-1' }],
  ['GET', '/v1/messages', `/v1/messages?mailbox=${mailboxId}`],
  ['GET', '/v1/messages/{id}', `/v1/messages/${id}`],
  ['GET', '/v1/messages/{id}/timeline', `/v1/messages/${id}/timeline`],
  ['GET', '/v1/messages/{id}/sealed', `/v1/messages/${id}/sealed`],
  ['POST', '/v1/messages/{id}/open', `/v1/messages/${id}/open`, { password }],
  ['POST', '/v1/messages/{id}/restore', `/v1/messages/${id}/restore`],
  ['GET', '/metrics', '/metrics'],
  ['GET', '/v1/session', '/v1/session'],
  ['DELETE', '/v1/session', '/v1/session'],
  ['PUT', '/v1/session/password', '/v1/session/password', { oldPassword: 'one', newPassword: 'another' }],
  ['GET', '/v1/administrators', '/v1/administrators'],
  ['POST', '/v1/administrators', '/v1/administrators', { name: 'anna' }],
  ['POST', '/v1/administrators/{name}/reset', '/v1/administrators/anna/reset'],
  ['DELETE', '/v1/administrators/{name}', '/v1/administrators/anna'],
  ['GET', '/v1/tokens', '/v1/tokens'],
  ['POST', '/v1/tokens', '/v1/tokens', { role: 'auditor' }],
  ['DELETE', '/v1/tokens/{id}', '/v1/tokens/tok-0123456789abcdef'],
  ['GET', '/v1/senders', '/v1/senders'],
  ['POST', '/v1/senders', '/v1/senders', { name: 'mail server' }],
  ['DELETE', '/v1/senders/{id}', '/v1/senders/snd-0123456789abcdef'],
  ['POST', '/v1/backups', '/v1/backups', { directory: '/srv/backup' }],
  ['GET', '/v1/status', '/v1/status'],
  ['GET', '/v1/events', '/v1/events'],
  ['GET', '/v1/sessions', '/v1/sessions'],
  ['GET', '/v1/sessions/{id}', `/v1/sessions/${id}`],
  ['GET', '/v1/statistics', '/v1/statistics'],
  ['GET', '/v1/live', '/v1/live?type=nonsense'],
  ['GET', '/v1/history/mailboxes', '/v1/history/mailboxes'],
  ['GET', '/v1/history/messages', `/v1/history/messages?mailbox=${mailboxId}`],
  ['GET', '/v1/history/maildrop', `/v1/history/maildrop?mailbox=${mailboxId}`],
]

for (const [method, route, url, payload] of routes)
  test(`${method} ${route} without the token is refused and counted`, async () => {
    for (const authorization of [
      undefined,
      `Bearer ${token}x`,
      `Basic ${token}`,
      'Bearer',
      `Bearer ${token} ${token}`,
    ]) {
      const answer = await app.inject({
        method,
        url,
        headers: authorization === undefined ? {} : { authorization },
        ...(payload && { payload }),
      })
      isProblem(answer, 401, 'not-authorized')
      assert.is(answer.headers['www-authenticate'], 'Bearer realm="Sealpost"')
    }
    assert.equal(calls, Array(5).fill(['refused', '127.0.0.1', 'api-token']))
  })

test('the OpenAPI document describes every route but itself, and no other', async () => {
  const document: { openapi: string; paths: Record<string, Record<string, { responses: object }>> } = (
    await ask('GET', '/v1/openapi.json')
  ).json()
  assert.match(document.openapi, /^3\.1\./)
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/(?<=.)\/$/, '')}`),
  )
  const expected = routes.map(([method, route]) => `${method} ${route}`)
  assert.equal(described.sort(), [...expected, 'GET /healthz', 'GET /readyz', 'POST /v1/session'].sort())
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
  assert.ok(operations.every(({ responses }) => Object.keys(responses).some((status) => status.startsWith('2'))))
})

test('the OpenAPI document is what the app itself answers with: health and readiness need no token there either', async () => {
  const { paths, security } = (await ask('GET', '/v1/openapi.json')).json<{
    paths: Record<string, { get: { security: unknown } }>
    security: unknown
  }>()
  for (const path of ['/healthz', '/readyz']) assert.equal(paths[path]?.get.security, [])
  assert.equal(security, [{ token: [] }, { session: [] }])
})

test('that the process lives is told without a token, whatever the views are', async () => {
  viewsAre({ state: 'stopped' })
  const answer = await app.inject({ url: '/healthz' })
  assert.equal([answer.statusCode, answer.json()], [200, { status: 'ok' }])
  assert.equal(calls, [])
})

test('readiness needs no token, and is 503 as soon as one check is not well', async () => {
  const log = { name: 'log', ok: true, detail: 'it answers' } as const
  const ready = await app.inject({ url: '/readyz' })
  assert.equal([ready.statusCode, ready.json()], [200, { status: 'ready', checks: [log] }])
  const views = { name: 'views', ok: false, detail: 'they are stalled' } as const
  checksAre(log, views)
  const notReady = await app.inject({ url: '/readyz' })
  assert.equal([notReady.statusCode, notReady.json()], [503, { status: 'not-ready', checks: [log, views] }])
  assert.equal(calls, [])
})

test("metrics are Prometheus' text, and need no token only where the configuration says so", async () => {
  const answer = await ask('GET', '/metrics')
  assert.is(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  assert.is(answer.body, 'sealpost_messages_received_total 1\n')
  const open = await buildApp({ ...world.api, metricsAreOpen: true })
  assert.is((await open.inject({ url: '/metrics' })).statusCode, 200)
  isProblem(await open.inject({ url: '/v1/status' }), 401, 'not-authorized')
  await open.close()
})

test('the status says how far the views are, and which event has stopped them', async () => {
  const views = async () => (await ask('GET', '/v1/status')).json<{ views: Record<string, unknown> }>().views
  const nothing = { position: null, reason: null, event: null, progress: null, mailboxesKnown: true }
  assert.equal(await views(), { ...nothing, state: 'live' })
  const progress = { folded: 10, total: undefined, perSecond: 5 }
  viewsAre({ state: 'behind', progress })
  assert.equal(await views(), { ...nothing, state: 'behind', progress: { ...progress, total: null } })
  const event = { position: '0000000000000007' as Position, stream: 'gateway-a', revision: 0, type: 'New' } as const
  viewsAre({ state: 'stopped', reason: 'from the future', event })
  assert.equal(await views(), { ...nothing, state: 'stopped', reason: 'from the future', event })
})

test('while the views are being built, nothing of them passes for the whole', async () => {
  mailboxExists(mailboxId, 'Finance')
  viewsAre({ state: 'behind' })
  isProblem(await ask('GET', `/v1/messages?mailbox=${mailboxId}`), 503, 'views-behind')
  isProblem(await ask('GET', `/v1/messages/${id}`), 503, 'views-behind')
  const shown = (await ask('GET', `/v1/mailboxes/${mailboxId}`)).json<{ messages: unknown }>()
  assert.is(shown.messages, null)
  isProblem(await ask('GET', '/v1/sessions'), 503, 'views-behind')
  isProblem(await ask('GET', `/v1/sessions/${id}`), 503, 'views-behind')
  isProblem(await ask('GET', '/v1/statistics'), 503, 'views-behind')
  isProblem(await ask('GET', '/v1/mailboxes/nobody'), 404, 'mailbox-unknown')
})

test('a path that does not exist is a 404 for whoever has the token, and a 401 for others', async () => {
  isProblem(await ask('GET', '/v1/nothing'), 404, 'request-invalid')
  isProblem(await ask('POST', '/v1/events'), 404, 'request-invalid')
  isProblem(await app.inject({ url: '/v1/nothing' }), 401, 'not-authorized')
})

test('no answer is to be kept by a cache, and none to be asked for in clear', async () => {
  for (const [method, , url, payload] of routes) {
    const { headers } = await ask(method, url, payload && { payload })
    assert.is(headers['cache-control'], 'no-store')
    assert.match(headers['strict-transport-security'] as string, /^max-age=\d{8}/)
  }
})

test('a mailbox is created with a password that is told once', async () => {
  const payload = { name: 'Finance', aliases: ['finance@example.com'] }
  const answer = await ask('POST', '/v1/mailboxes', { payload, headers: { 'sealpost-user': 'alice' } })
  assert.is(answer.statusCode, 201)
  assert.equal(answer.json(), { mailboxId, address: `${mailboxId}@archive.example.com`, password })
  assert.equal(calls, [['create', 'Finance', ['finance@example.com'], 'local:alice']])
})

test('the user that the command line names is a principal of plain characters, bounded, never empty', async () => {
  for (const user of ['a b:c\tü', 'x'.repeat(100), ''])
    await ask('POST', '/v1/mailboxes', { payload: { name: 'n' }, headers: { 'sealpost-user': user } })
  await ask('POST', '/v1/mailboxes', { payload: { name: 'n' } })
  assert.equal(
    calls.map((call) => call[3]),
    ['local:a_b_c__', `local:${'x'.repeat(64)}`, 'local:unnamed', 'local:unnamed'],
  )
})

const badRequests: readonly (readonly [string, 'GET' | 'POST', string, InjectOptions])[] = [
  ['a body without a name', 'POST', '/v1/mailboxes', { payload: {} }],
  ['an empty name', 'POST', '/v1/mailboxes', { payload: { name: '' } }],
  ['a name that is a number', 'POST', '/v1/mailboxes', { payload: { name: 1 } }],
  ['a name that is too long', 'POST', '/v1/mailboxes', { payload: { name: 'x'.repeat(201) } }],
  ['an unknown property', 'POST', '/v1/mailboxes', { payload: { name: 'n', admin: true } }],
  ['aliases that are no list', 'POST', '/v1/mailboxes', { payload: { name: 'n', aliases: 'a@b' } }],
  ['too many aliases', 'POST', '/v1/mailboxes', { payload: { name: 'n', aliases: Array(101).fill('a@b') } }],
  ['a body that is no object', 'POST', '/v1/mailboxes', { payload: [] }],
  ['no body', 'POST', '/v1/mailboxes', {}],
  ['a suspension without a reason', 'POST', `/v1/mailboxes/${mailboxId}/suspend`, { payload: {} }],
  ['an unknown query parameter', 'GET', '/v1/mailboxes?limits=1', {}],
  ['a limit of none', 'GET', '/v1/mailboxes?limit=0', {}],
  ['a limit beyond the bound', 'GET', '/v1/mailboxes?limit=51', {}],
  ['a limit that is no number', 'GET', '/v1/events?limit=many', {}],
  ['a limit said twice', 'GET', '/v1/events?limit=1&limit=2', {}],
  ['a state that no message has', 'GET', '/v1/messages?state=lost', {}],
  ['sessions since no time', 'GET', '/v1/sessions?since=noon', {}],
  ['statistics of too long a time', 'GET', '/v1/statistics?per=minute&since=2026-01-01&until=2026-03-01', {}],
  ['statistics that end before they begin', 'GET', '/v1/statistics?since=2026-03-01&until=2026-02-01', {}],
  ['a stream of no kind', 'GET', '/v1/events?stream=mailbox', {}],
  ['an event type that does not exist', 'GET', '/v1/events?type=__proto__', {}],
  ['a time that is none', 'GET', '/v1/events?since=yesterday', {}],
  ['a day that does not exist', 'GET', '/v1/events?until=2026-02-30', {}],
  ['a cursor that no page has given', 'GET', `/v1/events?stream=mailbox-${mailboxId}&after=-1`, {}],
  ['an opening without a password', 'POST', `/v1/messages/${id}/open`, { payload: {} }],
  ['a password that is too long', 'POST', `/v1/messages/${id}/open`, { payload: { password: 'x'.repeat(1025) } }],
  ['a path that cannot be decoded', 'GET', '/v1/mailboxes/%ff', {}],
]
for (const [what, method, url, options] of badRequests)
  test(`${what} is a 400 that says so`, async () => {
    assert.ok(isProblem(await ask(method, url, options), 400, 'request-invalid').length > 10)
    assert.equal(calls, [])
    assert.equal(said, [])
  })

test('broken JSON is a 400, another type of body a 415, a large one a 413', async () => {
  const send = (type: string, payload: string) =>
    ask('POST', '/v1/mailboxes', { payload, headers: { 'content-type': type } })
  isProblem(await send('application/json', '{"name":'), 400, 'request-invalid')
  isProblem(await send('application/json', '{"__proto__":{}}'), 400, 'request-invalid')
  isProblem(await send('text/plain', 'name=n'), 415, 'request-invalid')
  isProblem(await send('application/json', JSON.stringify({ name: 'x'.repeat(70_000) })), 413, 'request-invalid')
})

test('a refused value is not repeated in the answer', async () => {
  const payload = { password: ['hunter2'], other: 'hunter2' }
  assert.not.match((await ask('POST', `/v1/messages/${id}/open`, { payload })).body, /hunter2/)
})

test('a use case that refuses is answered with the code and status of the error table', async () => {
  mailboxExists(mailboxId, 'Finance')
  const payload = { name: 'n', aliases: ['taken@example.com'] }
  isProblem(await ask('POST', '/v1/mailboxes', { payload }), 409, 'alias-taken')
  isProblem(await ask('POST', `/v1/mailboxes/${mailboxId}/resume`), 409, 'mailbox-conflict')
})

test('of a message that is destroyed, or about to be, nothing is handed out', async () => {
  mailboxExists(mailboxId, 'Finance')
  const messageId = messageExists()
  const asked = async () => {
    isProblem(await ask('GET', `/v1/messages/${messageId}/sealed`), 410, 'message-purged')
    isProblem(await ask('POST', `/v1/messages/${messageId}/open`, { payload: { password } }), 410, 'message-purged')
    return (await ask('GET', `/v1/messages/${messageId}`)).json<{ state: string }>().state
  }
  world.happened(`mailbox-${mailboxId}`, { type: 'PurgeDecided', data: { mailboxId, messageIds: [messageId] } })
  assert.is(await asked(), 'purging')
  world.happened(`message-${messageId}`, { type: 'MessagePurged', data: { mailboxId, messageId } })
  assert.is(await asked(), 'purged')
  assert.equal(calls, [])
})

test('a message is restored in the name of the user', async () => {
  mailboxExists(mailboxId, 'Finance')
  const messageId = messageExists()
  const headers = { 'sealpost-user': 'alice' }
  assert.is((await ask('POST', `/v1/messages/${messageId}/restore`, { headers })).statusCode, 204)
  assert.equal(calls, [['restore', messageId, 'local:alice']])
  isProblem(await ask('POST', `/v1/messages/${id}/restore`), 404, 'message-unknown')
})

test('a failure that nobody foresaw is a 500 without its text, and the log has it', async () => {
  const sealed = () => {
    throw new Error('the secret cause')
  }
  mailboxExists(mailboxId, 'Finance')
  const failing = await buildApp({ ...world.api, sealed })
  const headers = { authorization: `Bearer ${token}` }
  const answer = await failing.inject({ url: `/v1/messages/${messageExists()}/sealed`, headers })
  await failing.close()
  assert.is(isProblem(answer, 500, 'internal'), 'Internal error, try again later')
  assert.equal(said, ['Request failed'])
})

test('a mailbox is found by id, address and alias, however they are written, and shown with its count', async () => {
  mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  messageExists()
  messageExists()
  const names = [
    mailboxId,
    `${mailboxId}@archive.example.com`,
    `${mailboxId}@ARCHIVE.example.com`,
    'Finance@Archive.Example.com',
    'finance',
  ]
  for (const name of names) {
    const answer = await ask('GET', `/v1/mailboxes/${encodeURIComponent(name)}`)
    assert.equal(answer.json(), {
      mailboxId,
      name: 'Finance',
      address: `${mailboxId}@archive.example.com`,
      aliases: ['finance@archive.example.com'],
      state: 'active',
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
      hold: null,
      grace: null,
      revision: 0,
      messages: 2,
      figures: {
        messages: 2,
        octets: 2000,
        sealedMessages: 2,
        sealedOctets: 2400,
        oldestAt: '2026-03-01T10:00:00.000Z',
        lastReceivedAt: '2026-03-01T10:00:00.000Z',
        lastRetrievedAt: null,
      },
    })
  }
})

test('an unknown mailbox is a 404, or a 503 while the views may be behind', async () => {
  for (const url of [`/v1/mailboxes/${mailboxId}`, '/v1/mailboxes/a%00b', '/v1/messages?mailbox=nobody'])
    isProblem(await ask('GET', url), 404, 'mailbox-unknown')
  viewsAre({ state: 'stalled', mailboxesKnown: false })
  isProblem(await ask('GET', `/v1/mailboxes/${mailboxId}`), 503, 'storage-failed')
})

test('mailboxes are listed in pages', async () => {
  for (let number = 1; number <= 5; number++)
    mailboxExists(`mbx-${String(number).padStart(32, '0')}` as never, `box ${number}`)
  type Page = { mailboxes: { name: string }[]; next: string | null }
  const names: string[] = []
  let next: string | null = ''
  for (let pages = 0; next !== null && pages < 4; pages++) {
    const page: Page = (await ask('GET', `/v1/mailboxes?limit=2&after=${next}`)).json()
    names.push(...page.mailboxes.map(({ name }) => name))
    next = page.next
  }
  assert.equal([names, next], [['box 1', 'box 2', 'box 3', 'box 4', 'box 5'], null])
})

test('limiting the proxy needs both lists, and is done in the name of the user', async () => {
  mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  const headers = { 'sealpost-user': 'alice' }
  const payload = { targets: ['pop.example.net:995'], networks: [] }
  const answer = await ask('PUT', '/v1/mailboxes/finance/proxy', { payload, headers })
  assert.is(answer.statusCode, 204)
  assert.equal(calls, [['limitProxy', mailboxId, payload, 'local:alice']])
  isProblem(await ask('PUT', '/v1/mailboxes/finance/proxy', { payload: { targets: [] } }), 400, 'request-invalid')
  isProblem(await ask('PUT', '/v1/mailboxes/nobody/proxy', { payload }), 404, 'mailbox-unknown')
})

test('the set-up of a mail program names the gateway, its ports with TLS first, and the whole user name', async () => {
  mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  const query = 'server=POP.example.net:1995&smtpServer=smtp.example.net&user=anna%40example.com'
  const answer = await ask('GET', `/v1/mailboxes/${mailboxId}/client-setup?${query}`)
  assert.equal(answer.json(), {
    receiving: {
      host: 'archive.example.com',
      port: 2995,
      security: 'tls',
      userName: 'anna@example.com%pop.example.net:1995%finance@archive.example.com',
      remote: 'pop.example.net:1995',
    },
    sending: {
      host: 'archive.example.com',
      port: 2587,
      security: 'starttls',
      userName: 'anna@example.com%smtp.example.net%finance@archive.example.com',
      remote: 'smtp.example.net',
    },
  })
  assert.equal(calls, [
    ['mustReach', 'pop3', 'pop.example.net'],
    ['mustReach', 'smtp', 'smtp.example.net'],
  ])
})

test('the set-up is told as text and as an autoconfiguration file too', async () => {
  mailboxExists(mailboxId, 'Finance')
  const url = `/v1/mailboxes/${mailboxId}/client-setup?server=pop.example.net`
  const text = await ask('GET', `${url}&format=text`)
  assert.match(String(text.headers['content-type']), /^text\/plain/)
  assert.match(text.body, new RegExp(`^  User name +YOUR-USER-NAME%pop\\.example\\.net%${mailboxId}$`, 'm'))
  const xml = await ask('GET', `${url}&format=autoconfig&user=${encodeURIComponent(`"><&'@example.com`)}`)
  assert.match(String(xml.headers['content-type']), /^application\/xml/)
  assert.match(
    xml.body,
    new RegExp(`<username>&#34;&#62;&#60;&#38;&#39;@example.com%pop.example.net%${mailboxId}</username>`),
  )
  assert.match(xml.body, /<domain>example\.com<\/domain>[^]*<socketType>SSL<[^]*<socketType>STARTTLS</)
})

test('no set-up is told for a server that may not be reached, nor for what is none', async () => {
  mailboxExists(mailboxId, 'Finance')
  const url = `/v1/mailboxes/${mailboxId}/client-setup`
  isProblem(await ask('GET', `${url}?server=pop.example.org`), 403, 'proxy-target')
  isProblem(await ask('GET', `${url}?server=pop.example.net&smtpServer=smtp.example.org`), 403, 'proxy-target')
  isProblem(await ask('GET', `${url}?server=a%20b`), 400, 'request-invalid')
  isProblem(await ask('GET', url), 400, 'request-invalid')
  isProblem(await ask('GET', `${url}?server=pop.example.net&user=a%0Db`), 400, 'request-invalid')
})

test('suspending needs a mailbox and a reason, and is done in the name of the user', async () => {
  mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  const headers = { 'sealpost-user': 'alice' }
  const answer = await ask('POST', '/v1/mailboxes/finance/suspend', { payload: { reason: 'left' }, headers })
  assert.equal([answer.statusCode, answer.body], [204, ''])
  assert.equal(calls, [['suspend', mailboxId, 'left', 'local:alice']])
})

test('the identity is the octets of its file', async () => {
  mailboxExists(mailboxId, 'Finance')
  const answer = await ask('GET', `/v1/mailboxes/${mailboxId}/identity`)
  assert.is(answer.body, 'identity of generation 1')
  assert.is(answer.headers['content-type'], 'application/octet-stream')
})

test('messages are listed in pages, without the name of their object', async () => {
  mailboxExists(mailboxId, 'Finance')
  const ids = [messageExists(), messageExists(), messageExists()]
  type Page = { messages: Record<string, unknown>[]; next: string | null }
  const first: Page = (await ask('GET', `/v1/messages?mailbox=${mailboxId}&limit=2`)).json()
  const second: Page = (await ask('GET', `/v1/messages?mailbox=${mailboxId}&limit=2&after=${first.next ?? ''}`)).json()
  assert.equal(
    [...first.messages, ...second.messages].map(({ messageId }) => messageId),
    ids,
  )
  assert.is(second.next, null)
  assert.equal(first.messages[0], {
    messageId: ids[0],
    mailboxId,
    size: 1000,
    wireSize: 1010,
    source: 'journal',
    target: null,
    relay: null,
    sessionId: 's',
    receivedAt: '2026-03-01T10:00:00.000Z',
    generation: 1,
    sealedSize: 1200,
    sealedSha256: 'ab',
    retrievals: 0,
    lastRetrievedAt: null,
    state: 'retrievable',
    deletedAt: null,
    purgedAt: null,
    senderChecks: null,
  })
})

test('one message is shown as the list shows it', async () => {
  mailboxExists(mailboxId, 'Finance')
  const messageId = messageExists()
  const { messages }: { messages: unknown[] } = (await ask('GET', `/v1/messages?mailbox=${mailboxId}`)).json()
  assert.equal((await ask('GET', `/v1/messages/${messageId}`)).json(), messages[0])
})

test('an unknown message is a 404, or a 503 while the views may be behind', async () => {
  for (const path of [id, 'x', `${id}/sealed`])
    isProblem(await ask('GET', `/v1/messages/${path}`), 404, 'message-unknown')
  isProblem(await ask('POST', `/v1/messages/${id}/open`, { payload: { password } }), 404, 'message-unknown')
  viewsAre({ state: 'stopped' })
  isProblem(await ask('GET', `/v1/messages/${id}`), 503, 'storage-failed')
})

test('the sealed message is streamed as an age file', async () => {
  mailboxExists(mailboxId, 'Finance')
  const messageId = messageExists()
  const answer = await ask('GET', `/v1/messages/${messageId}/sealed`)
  assert.is(answer.body, 'age-encryption.org/v1\nsealed')
  assert.is(answer.headers['content-disposition'], `attachment; filename="${messageId}.age"`)
})

test('an opened message is its octets; a wrong password is a 403 before any of them', async () => {
  mailboxExists(mailboxId, 'Finance')
  const messageId = messageExists()
  const headers = { 'sealpost-user': 'alice' }
  const right = await ask('POST', `/v1/messages/${messageId}/open`, { payload: { password }, headers })
  assert.equal([right.statusCode, right.body], [200, 'Subject: test\r\n\r\nbody\r\n'])
  assert.is(right.headers['content-type'], 'message/rfc822')
  const wrong = await ask('POST', `/v1/messages/${messageId}/open`, { payload: { password: 'guess' }, headers })
  isProblem(wrong, 403, 'password-wrong')
  assert.equal(calls[0], ['open', messageId, '127.0.0.1', 'local:alice'])
})

test.run()
