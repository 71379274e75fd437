import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { answerTo, isErrorCode } from '../../src/core/errors.ts'
import { newMessageId } from '../../src/core/ids.ts'
import type { App } from '../../src/http/buildApp.ts'
import type { Operation } from './checkedApp.ts'

/** Whatever somebody may ask of an operation of the API. */
export type AnyRequest = {
  /** For the places in the path, by turns. */
  readonly parameters: readonly string[]
  readonly query: readonly (readonly [name: string, value: string])[]
  readonly body: string | null
  readonly type: string
  readonly headers: Readonly<Record<string, string>>
}

/** Requests that use these ids where they use any that there are. */
export const anyRequest = (...ids: readonly string[]): fc.Arbitrary<AnyRequest> => {
  const word = fc.oneof(
    fc.constantFrom(...ids, newMessageId(), 'finance', '', '0', '-1', '%', '../..', '__proto__', '\0', 'null'),
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
    fc.constantFrom('', '{', '[[[[', '{"name":"x"}', '{"a":1,"a":2}', 'null', '\uFEFF{}', 'x'.repeat(70_000)),
    fc.string({ maxLength: 200 }),
  )
  const type = fc.constantFrom(
    ...[
      'application/json',
      'application/json',
      'application/json; charset=utf-16',
      'text/plain',
      'multipart/form-data',
    ],
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

  return fc.record({
    parameters: fc.array(word, { minLength: 2, maxLength: 2 }),
    query: fc.array(fc.tuple(name, word), { maxLength: 3 }),
    body: fc.option(body, { freq: 9 }),
    type,
    headers,
  })
}

const pathOf = ({ path }: Operation, parameters: readonly string[]) => {
  let index = 0
  return path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(parameters[index++ % parameters.length] ?? '') || 'x')
}

/** Milliseconds. */
const patience = 30_000

/** Asks, and throws for an answer that is no answer, or 5xx. */
export const mustAnswer = async (
  app: App,
  operation: Operation,
  { request, token }: { readonly request: AnyRequest; readonly token: string },
): Promise<void> => {
  const { query, body, type } = request
  const search = new URLSearchParams(query.map(([key, text]) => [key, text.toWellFormed()])).toString()
  const path = pathOf(
    operation,
    request.parameters.map((one) => one.toWellFormed()),
  )
  const url = `${path}?${search}`
  const method = operation.method as 'GET'
  const headers = {
    authorization: `Bearer ${token}`,
    ...request.headers,
    ...(body !== null && { 'content-type': type }),
  }
  const asked = app.inject({ method, url, headers, ...(body !== null && { payload: body }) })
  const late = new AbortController()
  const answer = await Promise.race([asked, delay(patience, undefined, late).catch(() => undefined)])
  late.abort()
  assert.ok(answer, `${method} ${url} hangs`)
  mustBeRefusedOrDone(answer, `${method} ${url} ${body ?? ''}`)
}

type Answer = Awaited<ReturnType<App['inject']>>
const mustBeRefusedOrDone = ({ statusCode, headers, body, json }: Answer, asked: string) => {
  if (statusCode < 400) return
  assert.ok(statusCode < 500, `${asked}: ${body}`)
  assert.match(String(headers['content-type']), /^application\/problem\+json/, asked)
  const { code, status } = json<{ readonly code: string; readonly status: number }>()
  assert.is(status, statusCode, asked)
  assert.ok(isErrorCode(code) && answerTo(code).text, asked)
}
