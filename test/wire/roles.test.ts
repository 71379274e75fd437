import { readFileSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isRole } from '../../src/core/access.ts'
import { type MailboxId, newMailboxId, newSessionId, type Position } from '../../src/core/ids.ts'
import { mailboxStream } from '../../src/core/streams.ts'
import { buildApp } from '../../src/http/buildApp.ts'
import { type Asker, askers, isScoped, promised, roleTable } from '../support/roleMatrix.ts'
import { doubles, password } from './httpDoubles.ts'

const test = suite('roles')
const world = doubles()
const app = await buildApp(world.api)
test.after(async () => {
  await app.close()
  world.close()
})

const inside = newMailboxId()
const outside = newMailboxId()
world.mailboxExists(inside, 'Inside', ['inside@example.com'])
world.mailboxExists(outside, 'Outside', ['outside@example.com'])
const messages = new Map<MailboxId, string>([inside, outside].map((id) => [id, world.messageExists(id)]))

const id = newSessionId()
const cause = { principal: 'system', correlationId: id, causationId: id } as const
const tokens = new Map<Asker, string>()
for (const asker of askers) {
  const role = asker.split(',')[0] ?? ''
  if (!isRole(role)) continue
  const mailboxes = isScoped(asker) ? [inside] : null
  const { secret } = await world.access.tokens.issue({ name: asker, role, mailboxes, expiresAfter: 600 }, cause)
  tokens.set(asker, secret.reveal())
}

/** A body that the route takes, where it takes one; others leave it aside. */
const bodies: Readonly<Record<string, object>> = {
  '/v1/mailboxes': { name: 'New' },
  '/v1/mailboxes/:id/name': { name: 'New' },
  '/v1/mailboxes/:id/proxy': { targets: [], networks: [] },
  '/v1/mailboxes/:id/sender-policy': { networks: [], requires: [], certificateNames: [], refusal: 'temporary' },
  '/v1/mailboxes/:id/retention': { grace: null },
  '/v1/mailboxes/:id/aliases': { add: [] },
  '/v1/mailboxes/:id/password': { oldPassword: password },
  '/v1/mailboxes/:id/rotate-key': { password },
  '/v1/mailboxes/:id/reset-password': {},
  '/v1/mailboxes/:id/recovery': { password, recipient: null },
  '/v1/mailboxes/:id/recover': { identity: 'AGE-SECRET-KEY-1' },
  '/v1/messages/:id/open': { password },
}
const reasoned = { reason: 'why' }

const requestOf = (route: string, mailboxId: MailboxId) => {
  const [method = '', pattern = ''] = route.split(' ')
  const isMessage = pattern.startsWith('/v1/messages/')
  const path = pattern.replace(':id', isMessage ? (messages.get(mailboxId) ?? '') : mailboxId).replace(/:\w+/g, 'none')
  const query = /\/(messages|maildrop|sessions)$/.test(pattern)
    ? `?mailbox=${mailboxId}`
    : pattern.endsWith('client-setup')
      ? '?server=pop.example.net'
      : ''
  return { method: method as 'GET' | 'POST', url: `${path}${query}`, body: bodies[pattern] ?? reasoned }
}

const ask = async (route: string, asker: Asker, mailboxId: MailboxId) => {
  const token = tokens.get(asker)
  const { method, url, body } = requestOf(route, mailboxId)
  const answer = await app.inject({
    method,
    url,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(method !== 'GET' && { payload: body }),
    payloadAsStream: true,
  })
  const stream = answer.stream()
  const isProblem = String(answer.headers['content-type']).startsWith('application/problem+json')
  const code = isProblem ? (JSON.parse(await text(stream)) as { readonly code: string }).code : undefined
  // What is told live does not end by itself.
  stream.destroy()
  return { status: answer.statusCode, code }
}

const refusals = ['not-authorized', 'role-insufficient', 'scope-insufficient', 'password-must-change']
const routes = [...app.declared].filter(([route]) => !route.startsWith('HEAD '))

for (const [route, access] of routes)
  test(`${route} (${access.access}) lets those in that it promises to, and no others`, async () => {
    for (const asker of askers) {
      const is = await ask(route, asker, inside)
      const hint = `${asker}: ${is.status} ${is.code}`
      const what = promised(access, asker)
      if (what === '401') assert.is(is.code, 'not-authorized', hint)
      else if (what === 'no') assert.is(is.status === 403 && refusals.includes(is.code ?? ''), true, hint)
      else assert.not.ok(refusals.includes(is.code ?? ''), hint)
    }
  })

const ofOne = routes.filter(
  ([route, { scoped }]) => scoped && (/:id/.test(route) || requestOf(route, outside).url.includes('?mailbox=')),
)

for (const [route, access] of ofOne)
  test(`${route} tells a scoped token nothing of a mailbox of others`, async () => {
    for (const asker of askers.filter((one) => promised(access, one) === 'own')) {
      const theirs = await ask(route, asker, outside)
      assert.is(theirs.status, 404, `${asker}: ${theirs.status} ${theirs.code}`)
      // No session is recorded here: that one's own is shown, the tests of sessions say.
      if (route.includes('/v1/sessions/')) continue
      const own = await ask(route, asker, inside)
      assert.is.not(own.status, 404, `${asker}: ${own.code}`)
    }
  })

test('there are routes of one mailbox, and each is asked about the one of others', () => assert.ok(ofOne.length > 15))

test('a scoped token finds its mailboxes by every name they have, others by none, and lists no others', async () => {
  const headers = { authorization: `Bearer ${tokens.get('auditor, scoped')}` }
  const status = async (name: string) =>
    (await app.inject({ url: `/v1/mailboxes/${encodeURIComponent(name)}`, headers })).statusCode
  for (const name of [inside, `${inside}@archive.example.com`, 'inside@example.com', 'INSIDE@EXAMPLE.COM'])
    assert.is(await status(name), 200, name)
  for (const name of [outside, `${outside}@archive.example.com`, 'outside@example.com', `${inside}@example.com`])
    assert.is(await status(name), 404, name)
  const list = async (one: Record<string, string>) =>
    (await app.inject({ url: '/v1/mailboxes', headers: one })).json<{ mailboxes: { mailboxId: string }[] }>().mailboxes
  assert.equal(
    (await list(headers)).map(({ mailboxId }) => mailboxId),
    [inside],
  )
  assert.is((await list({ authorization: `Bearer ${tokens.get('auditor')}` })).length, 2)
})

test('a scoped token takes addresses from its mailboxes and gives them none: it does not learn which are free', async () => {
  const change = (asker: Asker, payload: object) =>
    app.inject({
      method: 'POST',
      url: `/v1/mailboxes/${inside}/aliases`,
      headers: { authorization: `Bearer ${tokens.get(asker)}` },
      payload,
    })
  const refused = await change('operator, scoped', { add: ['outside@example.com'] })
  assert.equal([refused.statusCode, refused.json<{ code: string }>().code], [403, 'scope-insufficient'])
  assert.is((await change('operator, scoped', { remove: ['inside@example.com'] })).statusCode, 204)
  assert.is((await change('operator', { add: ['free@example.com'] })).statusCode, 204)
})

test('a scoped token is not told whose event has stopped the views', async () => {
  const event = { position: '1' as Position, stream: mailboxStream(outside), revision: 0, type: 'MailboxFolded' }
  world.viewsAre({ state: 'stopped', event })
  const shown = async (asker: Asker) => {
    const headers = { authorization: `Bearer ${tokens.get(asker)}` }
    return (await app.inject({ url: '/v1/status', headers })).json<{ views: { event: unknown } }>().views.event
  }
  assert.equal([await shown('auditor'), await shown('auditor, scoped')], [event, null])
  world.viewsAre({})
})

test('a route that does not say who may use it ends the start', async () => {
  const other = await buildApp(world.api)
  assert.throws(() => other.get('/v1/undeclared', () => ''), /does not declare its access/)
  await other.close()
})

const page = new URL('../../ops/docs/roles.md', import.meta.url)
test('ops/docs/roles.md is what the routes declare', () => {
  const table = roleTable(app.declared)
  if (process.env['SEALPOST_WRITE_ROLES'] === '1') writeFileSync(page, table)
  assert.is(readFileSync(page, 'utf8'), table)
})

test.run()
