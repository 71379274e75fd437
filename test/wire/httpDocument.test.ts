import { Check } from 'typebox/schema'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { answerTo, errorCodes } from '../../src/core/errors.ts'
import { buildApp } from '../../src/http/buildApp.ts'
import { type Content, type Json, type Operation, resolved } from '../support/checkedApp.ts'
import { doubles } from './httpDoubles.ts'

const test = suite('http document')
const world = doubles()
const app = await buildApp(world.api)
test.after(async () => {
  await app.close()
  world.close()
})

type Described = Operation['described'] & {
  readonly operationId?: string
  readonly tags?: readonly string[]
  readonly summary?: string
  readonly requestBody?: { readonly content: Content }
}
type Document = Json & {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly tags: readonly { readonly name: string }[]
  readonly components: { readonly schemas: Readonly<Record<string, Json>> }
}
const document = (await app.inject({ url: '/v1/openapi.json' })).json<Document>()
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, one]) => ({ name: `${method.toUpperCase()} ${path}`, one })),
)

test('the document describes every route but itself and its page, and no other', () => {
  const hidden = ['GET /v1/openapi.json', 'GET /docs']
  const registered = [...app.declared.keys()]
    .filter((name) => !name.startsWith('HEAD '))
    .map((name) => name.replaceAll(/:(\w+)/g, '{$1}'))
  assert.equal([...operations.map(({ name }) => name), ...hidden].toSorted(), registered.toSorted())
  assert.match(document.openapi, /^3\.1\./)
})

test('every operation has an id of its own, a tag that is explained, a summary and a success', () => {
  const ids = operations.map(({ one }) => one.operationId)
  assert.is(new Set(ids).size, operations.length)
  const tags = new Set(document.tags.map(({ name }) => name))
  for (const { name, one } of operations) {
    assert.match(one.operationId ?? '', /^[a-z][A-Za-z]+$/, name)
    assert.ok(one.tags?.length === 1 && one.tags.every((tag) => tags.has(tag)), name)
    assert.ok(one.summary, name)
    assert.ok(
      Object.keys(one.responses).some((status) => status.startsWith('2')),
      name,
    )
  }
})

test('every body of a request and of an answer has an example, and it is one', () => {
  const contents = operations.flatMap(({ name, one }) => [
    ...(one.requestBody ? [{ name: `${name}, its body`, content: one.requestBody.content }] : []),
    ...Object.entries(one.responses).flatMap(([status, { content }]) =>
      content ? [{ name: `${name}, ${status}`, content }] : [],
    ),
  ])
  assert.ok(contents.length > operations.length)
  for (const { name, content } of contents)
    for (const [type, { schema, example }] of Object.entries(content)) {
      if (!/[/+]json$/.test(type)) continue
      assert.ok(Check(resolved(document, schema) as Json, example), `${name}: ${JSON.stringify(example)}`)
    }
})

test('every code that a problem can have is there, with its status and meaning', () => {
  const problem = Object.values(document.components.schemas).find((one) => one['title'] === 'Problem')
  const { code } = problem?.['properties'] as { readonly code: { readonly oneOf: readonly Json[] } }
  assert.equal(
    code.oneOf.map((one) => one['const']),
    errorCodes,
  )
  for (const one of code.oneOf) {
    const { http, text } = answerTo(one['const'] as (typeof errorCodes)[number])
    assert.ok(String(one['description']).startsWith(`${http}: ${text}`))
  }
})

test('the page shows every operation and code, to everybody, and loads nothing from anywhere', async () => {
  const page = await app.inject({ url: '/docs' })
  assert.is(page.headers['content-type'], 'text/html; charset=utf-8')
  assert.match(String(page.headers['content-security-policy']), /^default-src 'none'; style-src 'sha256-[^ ]+'; /)
  for (const { one } of operations) assert.ok(page.body.includes(`id="${one.operationId}"`), one.operationId)
  for (const code of errorCodes) assert.ok(page.body.includes(`<code>${code}</code>`))
  assert.not.match(page.body, /<script|<link|<img|style="|https?:\/\//)
})

test.run()
