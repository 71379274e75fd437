import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cause } from '../../src/core/events.ts'
import { buildApp } from '../../src/http/buildApp.ts'
import { createLogger } from '../../src/logger.ts'
import { doubles, mailboxId, token } from './httpDoubles.ts'

const test = suite('lines about requests')
const world = doubles()
const lines: string[] = []
const causes: Cause[] = []
const app = await buildApp({
  ...world.api,
  logger: createLogger('info', { write: (line) => void lines.push(line) }),
  keyChanges: {
    ...world.api.keyChanges,
    changePassword: ({ cause }) => {
      causes.push(cause)
      return Promise.reject(new Error('the disk is gone'))
    },
  },
})
test.before.each(() => {
  world.reset()
  lines.length = 0
})
test.after(async () => {
  await app.close()
  world.close()
})

const typed = 'lanterns on the harbour wall'
const ask = (url: string, payload: object) =>
  app.inject({ method: 'POST', url, headers: { authorization: `Bearer ${token}` }, payload })

test('a failure is printed once, under the id that the answer and the events of the request have, without a secret', async () => {
  world.mailboxExists(mailboxId, 'Finance')
  const answer = await ask(`/v1/mailboxes/${mailboxId}/password`, { oldPassword: typed })
  assert.is(answer.statusCode, 500)
  assert.is(lines.length, 1)
  const { requestId, level, route, err } = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  assert.equal([level, route], ['error', '/v1/mailboxes/:id/password'])
  assert.match(JSON.stringify(err), 'the disk is gone')
  assert.is(requestId, causes[0]?.correlationId)
  assert.is(requestId, answer.headers['x-request-id'])
  for (const secret of [typed, token]) assert.not.ok(`${lines.join('')}${answer.body}`.includes(secret))
  assert.not.match(answer.body, 'the disk is gone')
})

test('what a client has done wrong is not printed', async () => {
  await ask(`/v1/mailboxes/${mailboxId}/password`, { oldPassword: typed })
  await ask('/v1/session', { name: typed, password: typed })
  await ask(`/v1/${typed}`, { password: typed })
  assert.equal(lines, [])
})

test.run()
