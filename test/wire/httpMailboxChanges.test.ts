import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { anySender } from '../../src/core/senderPolicy.ts'
import { mailboxId, password } from './httpDoubles.ts'
import { httpWorld } from './httpWorld.ts'

const test = suite('http mailbox changes')
const { world, ask: askApi } = await httpWorld(test, {
  given: ({ mailboxExists }) => mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com']),
})

const { calls } = world
type Headers = Readonly<Record<string, string>>
const ask = (method: 'GET' | 'POST' | 'PUT', path: string, payload?: object, headers: Headers = {}) =>
  askApi(method, `/v1/mailboxes${path}`, { headers, ...(payload && { payload }) })

const changes: readonly (readonly ['POST' | 'PUT', string, object, readonly unknown[]])[] = [
  ['PUT', 'name', { name: 'Tax' }, ['rename', mailboxId, 'Tax']],
  ['POST', 'aliases', { add: ['a@b.example'] }, ['changeAliases', mailboxId, ['a@b.example'], []]],
  ['PUT', 'proxy', { targets: [], networks: [] }, ['limitProxy', mailboxId, { targets: [], networks: [] }]],
  ['PUT', 'sender-policy', { ...anySender }, ['setSenderPolicy', mailboxId, anySender]],
  ['POST', 'delete', { reason: 'gone' }, ['delete', mailboxId, 'gone', false]],
  ['POST', 'delete', { reason: 'gone', force: true }, ['delete', mailboxId, 'gone', true]],
  ['PUT', 'retention', { grace: null }, ['retain', mailboxId, null]],
  ['PUT', 'retention', { grace: 86_400 }, ['retain', mailboxId, 86_400]],
  ['POST', 'suspend', { reason: 'left' }, ['suspend', mailboxId, 'left']],
  ['POST', 'hold', { reason: 'lawsuit' }, ['hold', mailboxId, 'lawsuit']],
  ['POST', 'release', { reason: 'settled' }, ['release', mailboxId, 'settled']],
]

for (const [method, path, payload, call] of changes) {
  test(`${path} is done in the name of the user, and answers with the mailbox's new ETag`, async () => {
    const answer = await ask(method, `/finance/${path}`, payload, { 'sealpost-user': 'alice' })
    assert.equal([answer.statusCode, answer.body, answer.headers['etag']], [204, '', '"1"'])
    assert.equal(calls, [[...call, 'local:alice']])
  })

  test(`${path} is not done at another revision than If-Match names`, async () => {
    const answer = await ask(method, `/finance/${path}`, payload, { 'if-match': '"7"' })
    assert.equal([answer.statusCode, answer.json<{ code: string }>().code], [412, 'revision-mismatch'])
  })

  test(`${path} with a body of the wrong shape is a 400`, async () => {
    for (const body of [{ ...payload, more: 1 }, []]) {
      assert.is((await ask(method, `/finance/${path}`, body)).statusCode, 400)
      assert.equal(calls, [])
    }
  })
}

test('a grace that is no number of seconds in ten years is a 400', async () => {
  for (const grace of [-1, 1.5, 3650 * 86_400 + 1, '1d'])
    assert.is((await ask('PUT', '/finance/retention', { grace })).statusCode, 400)
  assert.equal(calls, [])
})

test('a mailbox is shown with its revision as ETag', async () => {
  const answer = await ask('GET', '/finance')
  assert.equal([answer.headers['etag'], answer.json<{ revision: number }>().revision], ['"0"', 0])
})

const matching = ['"0"', '"7", "0"', '*', '"x" , "0"']
for (const ifMatch of matching)
  test(`If-Match: ${ifMatch} matches the mailbox at revision 0`, async () => {
    assert.is((await ask('PUT', '/finance/name', { name: 'Tax' }, { 'if-match': ifMatch })).statusCode, 204)
  })

test('a weak or foreign tag matches nothing', async () => {
  for (const ifMatch of ['W/"0"', '"00000000000000000"', '"x"', '""'])
    assert.is((await ask('PUT', '/finance/name', { name: 'Tax' }, { 'if-match': ifMatch })).statusCode, 412)
})

test('an If-Match that is no list of tags is a 400', async () => {
  for (const ifMatch of ['0', '', '"0"x', '"0', '*, "0"', `"${'0'.repeat(1000)}"`])
    assert.is((await ask('PUT', '/finance/name', { name: 'Tax' }, { 'if-match': ifMatch })).statusCode, 400, ifMatch)
  assert.equal(calls, [])
})

test('a creation that was asked for before under its key answers 200, without the password', async () => {
  const first = await ask('POST', '', { name: 'n' }, { 'idempotency-key': 'new' })
  assert.equal([first.statusCode, first.json<{ password: string }>().password], [201, password])
  const again = await ask('POST', '', { name: 'n' }, { 'idempotency-key': 'used' })
  assert.is(again.statusCode, 200)
  const address = `${mailboxId}@archive.example.com`
  assert.equal(again.json(), { mailboxId, address, code: 'password-already-shown' })
})

test('an Idempotency-Key that is empty, long or not plain is a 400', async () => {
  for (const key of ['', 'x'.repeat(256), 'a b'])
    assert.is((await ask('POST', '', { name: 'n' }, { 'idempotency-key': key })).statusCode, 400)
  assert.equal(calls, [])
})

test.run()
