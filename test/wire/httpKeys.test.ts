import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buildApp } from '../../src/http/buildApp.ts'
import { mailboxId, password, token } from './httpDoubles.ts'
import { httpWorld } from './httpWorld.ts'

const test = suite('http changes of keys')
const { world, ask: askApi } = await httpWorld(test, {
  given: ({ mailboxExists }) => mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com']),
})

const { calls } = world
const ask = (method: 'POST' | 'PUT' | 'GET', path: string, payload?: object, headers: Record<string, string> = {}) =>
  askApi(method, `/v1/mailboxes/finance/${path}`, { headers, ...(payload && { payload }) })

const all = { generations: [1, 2], shut: { messages: 3, inMaildrop: 2 } }
const wanted = 'a chosen one of theirs'
const changes: readonly (readonly ['POST' | 'PUT', string, object, string, readonly string[], object])[] = [
  ['POST', 'password', { oldPassword: 'theirs' }, 'changePassword', [], { ...all, password }],
  ['POST', 'password', { oldPassword: 'theirs', newPassword: wanted }, 'changePassword', [wanted], all],
  ['POST', 'rotate-key', { password: 'theirs' }, 'rotateKey', [], { ...all, recipient: 'age1rotated' }],
  ['POST', 'reset-password', {}, 'resetPassword', [], { ...all, password }],
  ['PUT', 'recovery', { password: 'theirs', recipient: 'age1kept' }, 'setRecovery', ['age1kept'], all],
  ['PUT', 'recovery', { password: 'theirs', recipient: null }, 'setRecovery', ['null'], all],
  ['POST', 'recover', { identity: 'AGE-SECRET-KEY-1' }, 'recover', [], { ...all, password }],
]

for (const [method, path, payload, name, details, answered] of changes) {
  const what = `${path} with ${Object.keys(payload).join(' and ') || 'nothing'}`
  test(`${what} is done, and answered with what is open and what is not`, async () => {
    const answer = await ask(method, path, payload, { 'if-match': '"0"' })
    assert.equal([answer.statusCode, answer.headers['etag']], [200, '"1"'])
    assert.equal(answer.json(), answered)
    assert.equal(calls[0]?.slice(0, 2 + details.length), [name, mailboxId, ...details])
    assert.equal(calls[0]?.slice(-2), ['127.0.0.1', 'local:unnamed'])
  })

  test(`${what} is not done at another revision, nor with more than is known`, async () => {
    const answer = await ask(method, path, payload, { 'if-match': '"7"' })
    assert.equal([answer.statusCode, answer.json<{ code: string }>().code], [412, 'revision-mismatch'])
    assert.is((await ask(method, path, { ...payload, more: 1 })).statusCode, 400)
  })
}

test('where nobody can count what stays shut, the password is told all the same', async () => {
  const { keyChanges } = world.api
  const resetPassword: typeof keyChanges.resetPassword = async (...how) => ({
    ...(await keyChanges.resetPassword(...how)),
    shut: null,
  })
  const uncounted = await buildApp({ ...world.api, keyChanges: { ...keyChanges, resetPassword } })
  const answer = await uncounted.inject({
    method: 'POST',
    url: '/v1/mailboxes/finance/reset-password',
    headers: { authorization: `Bearer ${token}` },
    payload: {},
  })
  await uncounted.close()
  assert.equal([answer.statusCode, answer.json()], [200, { generations: [1, 2], shut: null, password }])
})

test('a mailbox shows its keys and their age, and each file of them can be had', async () => {
  const mailbox = await askApi('GET', '/v1/mailboxes/finance')
  const { generations, recovery } = mailbox.json<{ generations: readonly object[]; recovery: null }>()
  const one = { generation: 1, recipient: 'age1recipient', createdAt: '2026-03-01T10:00:00.000Z', sha256: '00' }
  assert.equal([generations, recovery], [[{ ...one, wrappedTo: 'password', recovery: null }], null])
  assert.is((await ask('GET', 'identity?generation=1')).body, 'identity of generation 1')
  for (const query of ['generation=2', 'wrapped=recovery', 'generation=0', 'generation=x'])
    assert.is((await ask('GET', `identity?${query}`)).statusCode, 400)
})

test.run()
