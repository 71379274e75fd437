import { once } from 'node:events'
import { connect } from 'node:tls'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { answerTo, isErrorCode } from '../../src/core/errors.ts'
import { newMessageId } from '../../src/core/ids.ts'
import { startAdmin } from '../../src/http/admin.ts'
import { certificate } from '../../src/tls/selfSigned.ts'
import { checkedApp, type Operation, operationsOf } from '../support/checkedApp.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { doubles, mailboxId, token } from './httpDoubles.ts'

const test = suite('http fuzz')
const world = doubles()
const app = await checkedApp(world.api)
world.mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
const messageId = world.messageExists()
test.after(async () => {
  await app.close()
  world.close()
})

const word = fc.oneof(
  fc.constantFrom(
    mailboxId,
    messageId,
    newMessageId(),
    'finance',
    '',
    '0',
    '-1',
    '%',
    '../..',
    '__proto__',
    '\0',
    'null',
  ),
  fc.string({ maxLength: 400 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
)
const name = fc.constantFrom(
  ...[
    'limit',
    'after',
    'mailbox',
    'state',
    'since',
    'until',
    'order',
    'type',
    'stream',
    'per',
    'source',
    'position',
    'at',
  ],
  ...['name', 'aliases', 'reason', 'password', 'grace', 'add', 'force', 'targets', 'directory', 'constructor', 'x'],
)
const value = fc.oneof(
  word,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.array(word, { maxLength: 3 }),
)
const json = fc.oneof(fc.dictionary(name, value, { maxKeys: 4 }), fc.jsonValue({ maxDepth: 3 }))
const body = fc.oneof(
  json.map((one) => JSON.stringify(one)),
  fc.constantFrom(undefined, '', '{', '[[[[', '{"name":"x"}', '{"a":1,"a":2}', 'null', '\uFEFF{}', 'x'.repeat(70_000)),
  fc.string({ maxLength: 200 }),
)
const type = fc.constantFrom(
  ...['application/json', 'application/json', 'application/json; charset=utf-16', 'text/plain', 'multipart/form-data'],
  ...['application/x-www-form-urlencoded', 'application/cbor', 'nonsense', 'a/b/c', ';'],
)
const headers = fc.dictionary(
  fc.constantFrom(
    ...['if-match', 'idempotency-key', 'accept', 'last-event-id', 'sealpost-user', 'range', 'expect', 'origin'],
    ...['content-encoding', 'x-http-method-override', 'x-forwarded-for', 'content-length'],
  ),
  // What a client can send in a header at all.
  fc
    .oneof(fc.constantFrom('*', '""', '"0"', 'W/"1"', '-1', '1e9', '"'), fc.string({ maxLength: 300 }))
    .map((text) => text.replaceAll(/[^\x20-\x7e]/g, '?')),
  { maxKeys: 3 },
)

const request = fc.record({
  parameters: fc.array(word, { minLength: 2, maxLength: 2 }),
  query: fc.array(fc.tuple(name, word), { maxLength: 3 }),
  body,
  type,
  headers,
})

/** Streams without an end are for their own test. */
const operations = operationsOf(app).filter(({ path }) => path !== '/v1/live')

const pathOf = ({ path }: Operation, parameters: readonly string[]) => {
  let index = 0
  return path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(parameters[index++ % parameters.length] ?? '') || 'x')
}

type Answer = Awaited<ReturnType<typeof app.inject>>
const isRefusedOrDone = ({ statusCode, headers, body, json }: Answer, asked: string) => {
  if (statusCode < 400) return
  assert.ok(statusCode < 500, `${asked}: ${body}`)
  assert.match(String(headers['content-type']), /^application\/problem\+json/, asked)
  const { code, status } = json<{ readonly code: string; readonly status: number }>()
  assert.is(status, statusCode, asked)
  assert.ok(isErrorCode(code) && answerTo(code).text, asked)
}

for (const operation of operations)
  test(`${operation.method} ${operation.path} answers whatever it is asked with what its document says, and never 5xx`, () =>
    fc.assert(
      fc.asyncProperty(request, async ({ parameters, query, body, type, headers }) => {
        const search = new URLSearchParams(query.map(([key, text]) => [key, text.toWellFormed()])).toString()
        const url = `${pathOf(
          operation,
          parameters.map((one) => one.toWellFormed()),
        )}?${search}`
        const method = operation.method as 'GET'
        const sent = {
          authorization: `Bearer ${token}`,
          ...headers,
          ...(body !== undefined && { 'content-type': type }),
        }
        const asked = app.inject({ method, url, headers: sent, ...(body !== undefined && { payload: body }) })
        const late = AbortSignal.timeout(5000)
        const answer = await Promise.race([asked, once(late, 'abort')])
        assert.ok('statusCode' in answer, `${method} ${url} hangs`)
        isRefusedOrDone(answer, `${method} ${url} ${body ?? ''}`)
      }),
      { numRuns: 40 },
    ))

test('what is no HTTP, or too much of it, is answered 4xx with a problem document, and the connection ends', async () => {
  const clock = { now: () => new Date() }
  const tls = await certificate({ keys: memoryKeys().keys, domain: 'localhost', clock, addresses: [] })
  const admin = await startAdmin({ api: world.api, host: '127.0.0.1', port: 0, certificate: tls })
  const answerTo = async (octets: string) => {
    const port = admin.address?.port ?? 0
    const socket = connect({ host: '127.0.0.1', port, ca: tls.cert, checkServerIdentity: () => undefined })
    socket.on('error', () => undefined)
    await once(socket, 'secureConnect')
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    socket.write(octets)
    // Whoever sends on and on may be reset, once the answer is there.
    await new Promise((resolve) => socket.once('close', resolve))
    return text
  }
  const cases = [
    'nonsense\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
    'POST /v1/mailboxes HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n',
  ]
  for (const octets of cases) {
    const text = await answerTo(octets)
    assert.match(text, /^HTTP\/1\.1 4\d\d /, octets.slice(0, 60))
    assert.match(text, /content-type: application\/problem\+json/i, octets.slice(0, 60))
  }
  await admin.close()
})

test.run()
