import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cause } from '../../src/core/events.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { buildApp } from '../../src/http/buildApp.ts'
import { mailboxId, token } from './httpDoubles.ts'
import { httpWorld } from './httpWorld.ts'

const test = suite('http access')
/** Stands still: how long a try takes is not to count as a wait before the next. */
let now = Date.now()
const { world, app } = await httpWorld(test, { clock: { now: () => new Date(now) } })

const cause: Cause = { principal: 'local:root', correlationId: randomUUID(), causationId: randomUUID() }
const later = () => new Date(now + 60_000)
const sameSite = { 'sec-fetch-site': 'same-origin' }
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
type Headers = Readonly<Record<string, string>>

const ask = (method: Method, url: string, headers: Headers, payload?: object) =>
  app.inject({ method, url, headers, ...(payload && { payload }) })
const local = { authorization: `Bearer ${token}`, 'sealpost-user': 'root' }

/** Whence each logs in: who fails makes nobody else wait. */
const homes = new Map<string, string>()
const homeOf = (name: string) => {
  const home = homes.get(name.toLowerCase()) ?? `198.51.100.${homes.size + 1}`
  homes.set(name.toLowerCase(), home)
  return home
}
const login = async (name: string, password: string, headers: Headers = {}) =>
  app.inject({ method: 'POST', url: '/v1/session', headers, remoteAddress: homeOf(name), payload: { name, password } })
type Answer = Awaited<ReturnType<typeof login>>
const codeOf = (answer: Answer) => (answer.statusCode < 400 ? answer.statusCode : answer.json<{ code: string }>().code)
const cookieIn = (answer: Answer) => ({ cookie: String(answer.headers['set-cookie']).split(';')[0] ?? '' })

/** An administrator with a password of his own, logged in. */
const own = 'four plain words joined'
const loggedIn = async (name: string) => {
  const { password } = await world.access.administrators.add({ name, role: 'admin' }, later(), cause)
  const cookie = cookieIn(await login(name, password.reveal()))
  const passwords = { oldPassword: password.reveal(), newPassword: own }
  assert.is(codeOf(await ask('PUT', '/v1/session/password', { ...cookie, ...sameSite }, passwords)), 204)
  return cookie
}

test('the cookie of a login is for this host alone, over TLS, out of the reach of scripts and of other sites', async () => {
  const { password } = await world.access.administrators.add({ name: 'cora', role: 'auditor' }, later(), cause)
  const answer = await login('CORA', password.reveal())
  assert.is(answer.statusCode, 201)
  assert.match(
    String(answer.headers['set-cookie']),
    /^__Host-sealpost=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
  )
  const who = { principal: 'administrator:cora', role: 'auditor', mailboxes: null, passwordMustChange: true }
  assert.equal(answer.json(), who)
  assert.equal((await ask('GET', '/v1/session', cookieIn(answer))).json(), who)
})

test('a password for once opens nothing but its own change', async () => {
  const { password } = await world.access.administrators.add({ name: 'once', role: 'admin' }, later(), cause)
  const cookie = cookieIn(await login('once', password.reveal()))
  assert.is(codeOf(await ask('GET', '/v1/mailboxes', cookie)), 'password-must-change')
  assert.is(codeOf(await ask('GET', '/v1/status', cookie)), 'password-must-change')
  const change = (newPassword: string) =>
    ask('PUT', '/v1/session/password', { ...cookie, ...sameSite }, { oldPassword: password.reveal(), newPassword })
  for (const weak of ['short', 'aaaaaaaaaaaaaaaa', 'onceonceonceonce', password.reveal()])
    assert.is(codeOf(await change(weak)), 'request-invalid', weak)
  assert.is(codeOf(await change(own)), 204)
  assert.is(codeOf(await ask('GET', '/v1/mailboxes', cookie)), 200)
  assert.is(codeOf(await login('once', password.reveal())), 'password-wrong')
})

test('a password for once is of no use after its time', async () => {
  const past = new Date(now - 1000)
  const { password } = await world.access.administrators.add({ name: 'late', role: 'admin' }, past, cause)
  assert.is(codeOf(await login('late', password.reveal())), 'password-expired')
})

test('with a cookie a change is taken from the same site only', async () => {
  const cookie = await loggedIn('dora')
  const suspend = (headers: Headers) =>
    ask('POST', `/v1/mailboxes/${mailboxId}/suspend`, { ...cookie, ...headers }, { reason: 'left' })
  world.mailboxExists(mailboxId, 'Finance')
  for (const foreign of [
    {},
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { host: 'gateway.test', origin: 'http://gateway.test' },
  ])
    assert.is(codeOf(await suspend(foreign)), 'cross-site', JSON.stringify(foreign))
  assert.is(world.calls.filter(([name]) => name === 'suspend').length, 0)
  assert.is(codeOf(await suspend(sameSite)), 204)
  assert.is(codeOf(await suspend({ host: 'gateway.test:8450', origin: 'https://gateway.test:8450' })), 204)
  assert.is(codeOf(await login('dora', own, { 'sec-fetch-site': 'cross-site' })), 'cross-site')
})

test('a change of the password ends the other sessions, and a logout its own', async () => {
  const cookie = await loggedIn('emma')
  const other = cookieIn(await login('emma', own))
  assert.is(codeOf(await ask('GET', '/v1/status', other)), 200)
  const passwords = { oldPassword: own, newPassword: 'five other plain words joined' }
  assert.is(codeOf(await ask('PUT', '/v1/session/password', { ...cookie, ...sameSite }, passwords)), 204)
  assert.is(codeOf(await ask('GET', '/v1/status', other)), 'not-authorized')
  assert.is(codeOf(await ask('GET', '/v1/status', cookie)), 200)
  const logout = await ask('DELETE', '/v1/session', { ...cookie, ...sameSite })
  assert.match(String(logout.headers['set-cookie']), /Max-Age=0/)
  assert.is(codeOf(await ask('GET', '/v1/status', cookie)), 'not-authorized')
})

test('guessing a name’s password is slowed down, and each guess is counted', async () => {
  await loggedIn('fred')
  world.calls.length = 0
  // From elsewhere than where he has logged in himself.
  const guess = (remoteAddress: string) =>
    app.inject({ method: 'POST', url: '/v1/session', remoteAddress, payload: { name: 'fred', password: 'guess' } })
  assert.is(codeOf(await guess('192.0.2.1')), 'password-wrong')
  assert.is(codeOf(await guess('192.0.2.2')), 'too-many-attempts')
  assert.equal(world.calls, [
    ['refused', '192.0.2.1', 'administrator-password'],
    ['refused', '192.0.2.2', 'too-many-attempts'],
  ])
  // Who logged in lately is not locked out by the guesses of others.
  assert.is(codeOf(await login('fred', own)), 201)
})

test('a name that nobody has costs a guess as much time as one that somebody has', async () => {
  await loggedIn('gina')
  let address = 10
  /** Milliseconds of processor time, in any thread. */
  const cost = async (name: string) => {
    now += 60_000
    const payload = { name, password: 'guess' }
    const remoteAddress = `192.0.2.${address++}`
    const before = process.cpuUsage()
    const answer = await app.inject({ method: 'POST', url: '/v1/session', remoteAddress, payload })
    const { user, system } = process.cpuUsage(before)
    assert.is(codeOf(answer), 'password-wrong')
    return (user + system) / 1000
  }
  /** Of four, which a busy machine disturbs least. */
  const lowest = async (name: string) => {
    const costs = []
    for (let tries = 0; tries < 4; tries += 1) costs.push(await cost(name))
    return Math.min(...costs)
  }
  const usual = await lowest('gina')
  // argon2 is nearly all of it; without it an answer costs a millisecond.
  for (const name of ['nobody', 'no such/name']) {
    const guess = await lowest(name)
    assert.ok(guess > usual / 3 && guess < usual * 3, `${name}: ${guess} ms, not ${usual} ms`)
  }
})

test('a token is shown once, works until it is revoked, and tells when it was used', async () => {
  const issued = await ask('POST', '/v1/tokens', local, { role: 'auditor', name: 'nightly', expires: 60 })
  assert.is(issued.statusCode, 201)
  const { token: secret, tokenId } = issued.json<{ token: string; tokenId: string }>()
  const bearer = { authorization: `Bearer ${secret}` }
  assert.is((await ask('GET', '/v1/session', bearer)).json<{ principal: string }>().principal, `token:${tokenId}`)
  const listed = await ask('GET', '/v1/tokens', local)
  assert.not.match(listed.body, secret)
  const [one] = listed.json<{ tokens: { tokenId: string; role: string; lastUsed: string | null }[] }>().tokens
  assert.is(one?.tokenId, tokenId)
  assert.ok(typeof one?.lastUsed === 'string')
  assert.is(
    codeOf(await ask('GET', '/v1/session', { authorization: `Bearer ${secret.slice(0, -1)}_` })),
    'not-authorized',
  )
  assert.is(codeOf(await ask('DELETE', `/v1/tokens/${tokenId}`, local)), 204)
  assert.is(codeOf(await ask('GET', '/v1/session', bearer)), 'not-authorized')
  assert.is(codeOf(await ask('DELETE', `/v1/tokens/${tokenId}`, local)), 'token-unknown')
})

test("a sender's token is shown once, sends for its mailboxes, and opens nothing of the API", async () => {
  world.mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  const issued = await ask('POST', '/v1/senders', local, { name: 'mail server', mailboxes: ['finance', mailboxId] })
  assert.is(issued.statusCode, 201)
  const { senderId, token: secret, mailboxes } = issued.json<{ senderId: string; token: string; mailboxes: string[] }>()
  assert.equal(mailboxes, [mailboxId])
  const listed = (await ask('GET', '/v1/senders', local)).json<{ senders: { senderId: string; name: string }[] }>()
  assert.equal(listed.senders.map(({ senderId, name }) => [senderId, name]), [[senderId, 'mail server']]) // prettier-ignore
  assert.not.ok(JSON.stringify(listed).includes('sealpost_'))
  for (const shown of [secret, senderId, `${senderId}:${secret}`]) {
    const bearer = { authorization: `Bearer ${shown}` }
    assert.is(codeOf(await ask('GET', '/v1/session', bearer)), 'not-authorized')
  }
  assert.is(codeOf(await login(senderId, secret)), 'password-wrong')
  assert.is(codeOf(await ask('DELETE', `/v1/senders/${senderId}`, local)), 204)
  assert.is(codeOf(await ask('DELETE', `/v1/senders/${senderId}`, local)), 'sender-unknown')
  assert.equal((await ask('GET', '/v1/senders', local)).json<{ senders: unknown[] }>().senders, [])
  assert.is(codeOf(await ask('POST', '/v1/senders', local, { mailboxes: ['nobody'] })), 'mailbox-unknown')
  assert.is(codeOf(await ask('POST', '/v1/senders', local, { mailboxes: [] })), 'request-invalid')
})

test('a token that has expired is none', async () => {
  const request = { name: undefined, role: 'admin', mailboxes: null, expiresAfter: -1 } as const
  const { secret } = await world.access.tokens.issue(request, cause)
  assert.is(codeOf(await ask('GET', '/v1/session', { authorization: `Bearer ${secret.reveal()}` })), 'not-authorized')
})

test('administrators are added, listed, given a new password and removed, and lose their sessions with it', async () => {
  const added = await ask('POST', '/v1/administrators', local, { name: 'Hugo', role: 'operator' })
  assert.is(added.statusCode, 201)
  assert.is(codeOf(await ask('POST', '/v1/administrators', local, { name: 'hugo' })), 'administrator-exists')
  assert.is(codeOf(await ask('POST', '/v1/administrators', local, { name: 'hugo boss' })), 'request-invalid')
  const cookie = cookieIn(await login('hugo', added.json<{ password: string }>().password))
  const reset = await ask('POST', '/v1/administrators/hugo/reset', local)
  assert.is(codeOf(await ask('GET', '/v1/session', cookie)), 'not-authorized')
  const again = cookieIn(await login('hugo', reset.json<{ password: string }>().password))
  const { administrators } = (await ask('GET', '/v1/administrators', local)).json<{
    administrators: { name: string; role: string }[]
  }>()
  assert.is(administrators.find(({ name }) => name === 'hugo')?.role, 'operator')
  assert.is(codeOf(await ask('DELETE', '/v1/administrators/hugo', local)), 204)
  assert.is(codeOf(await ask('GET', '/v1/session', again)), 'not-authorized')
  assert.is(codeOf(await ask('DELETE', '/v1/administrators/hugo', local)), 'administrator-unknown')
})

test('what is read of the log and of messages is recorded with who read it, and what leaves the gateway each time', async () => {
  world.mailboxExists(mailboxId, 'Finance', ['finance@example.com'])
  const messageId = world.messageExists()
  for (const url of [
    '/v1/events',
    `/v1/events?stream=mailbox-${mailboxId}`,
    '/v1/history/maildrop?mailbox=finance%40example.com',
    `/v1/messages?mailbox=${mailboxId}`,
    `/v1/messages/${messageId}`,
    `/v1/messages/${messageId}/sealed`,
    `/v1/mailboxes/${mailboxId}/identity`,
    '/v1/mailboxes',
    '/v1/status',
  ])
    assert.is(codeOf(await ask('GET', url, local)), 200, url)
  const message = { mailboxId, messageId }
  assert.equal(JSON.parse(JSON.stringify(world.audited)), [
    ['read', { record: 'events' }, 'local:root'],
    ['read', { record: 'events', mailboxId }, 'local:root'],
    ['read', { record: 'history', mailboxId }, 'local:root'],
    ['read', { record: 'messages', mailboxId }, 'local:root'],
    ['read', { record: 'message', ...message }, 'local:root'],
    ['opened', { record: 'sealed', ...message }, 'local:root'],
    ['exported', { mailboxId, generations: [1] }, 'local:root'],
  ])
})

test('who tries to delete a mailbox that has to stay is recorded, and nobody else', async () => {
  world.mailboxExists(mailboxId, 'Finance')
  const remove = (reason: string) => ask('POST', `/v1/mailboxes/${mailboxId}/delete`, local, { reason })
  assert.is(codeOf(await remove('left')), 204)
  const codes = ['mailbox-conflict', 'mailbox-held', 'mailbox-not-empty', 'storage-failed', 'request-invalid'] as const
  for (const code of codes) {
    world.deletionFails(code)
    assert.is(codeOf(await remove('left')), code)
  }
  assert.equal(
    world.audited,
    codes.slice(0, 3).map((because) => ['deletionRefused', { mailboxId, because }, 'local:root']),
  )
})

test('what cannot be recorded, as on a full disk, is not read: 507, and nothing of it', async () => {
  const full = () => Promise.reject(new GatewayError('storage-full'))
  const audit = { read: full, opened: full, exported: full, deletionRefused: full }
  const fullApp = await buildApp({ ...world.api, audit })
  world.mailboxExists(mailboxId, 'Finance')
  const messageId = world.messageExists()
  const read = (url: string) => fullApp.inject({ method: 'GET', url, headers: local })
  for (const url of [
    '/v1/events',
    '/v1/live',
    '/v1/sessions',
    '/v1/history/mailboxes',
    `/v1/history/messages?mailbox=${mailboxId}`,
    `/v1/history/maildrop?mailbox=${mailboxId}`,
    `/v1/messages?mailbox=${mailboxId}`,
    `/v1/messages/${messageId}`,
    `/v1/messages/${messageId}/timeline`,
    `/v1/messages/${messageId}/sealed`,
    `/v1/mailboxes/${mailboxId}/identity`,
  ]) {
    const answer = await read(url)
    assert.is(codeOf(answer), 'storage-full', url)
    const { status, retry } = answer.json<{ status: number; retry: boolean }>()
    assert.equal([status, retry, answer.body.includes(messageId)], [507, true, false], url)
  }
  for (const url of ['/v1/mailboxes', `/v1/mailboxes/${mailboxId}`, '/v1/status', '/v1/statistics?per=day', '/metrics'])
    assert.is((await read(url)).statusCode, 200, url)
  await fullApp.close()
})

test.run()
