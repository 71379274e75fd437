import type { InjectOptions } from 'fastify'
import { Check } from 'typebox/schema'
import { type AdminApi, type App, buildApp } from '../../src/http/buildApp.ts'

export type Json = { readonly [name: string]: unknown }
export type Operation = {
  readonly method: string
  /** As in the document: `/v1/mailboxes/{id}`. */
  readonly path: string
  readonly described: Json & { readonly responses: Readonly<Record<string, { readonly content?: Content }>> }
}
export type Content = Readonly<Record<string, { readonly schema: Json; readonly example?: unknown }>>

/** A schema of the document with what it refers to in its place. */
export const resolved = (document: Json, schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map((one) => resolved(document, one))
  if (typeof schema !== 'object' || schema === null) return schema
  if ('$ref' in schema) {
    const path = String(schema.$ref).split('/').slice(1)
    return resolved(
      document,
      path.reduce<unknown>((at, name) => (at as Json)[name], document),
    )
  }
  return Object.fromEntries(Object.entries(schema).map(([name, one]) => [name, resolved(document, one)]))
}

/** Every operation of the app's own OpenAPI document. */
export const operationsOf = (app: App): readonly Operation[] => {
  const document = app.swagger() as unknown as Json & { readonly paths: Readonly<Record<string, Json>> }
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      method: method.toUpperCase(),
      path: path.length > 1 ? path.replace(/\/$/, '') : path,
      described: resolved(document, described) as Operation['described'],
    })),
  )
}

type Answer = Awaited<ReturnType<App['inject']>>

/** Throws unless the answer is one that the document says the operation gives. */
const mustConform = (operations: readonly Operation[], { method = 'GET', url }: InjectOptions, answer: Answer) => {
  const path = (typeof url === 'string' ? url : '').split('?')[0] ?? ''
  const operation = operations.find(
    (one) =>
      one.method === method.toUpperCase() && new RegExp(`^${one.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  )
  if (!operation) return
  const status = String(answer.statusCode)
  const { responses } = operation.described
  const said = `${operation.method} ${operation.path} answered ${status} ${answer.body.slice(0, 500)}`
  const response = responses[status] ?? responses[`${status[0] ?? ''}XX`]
  if (!response) throw new Error(`${said}: the document has no such status`)
  if (status === '204') {
    if (answer.body !== '') throw new Error(`${said}: with a body`)
    return
  }
  const type = String(answer.headers['content-type']).split(';')[0] ?? ''
  const content = Object.entries(response.content ?? {}).find(([name]) => name.split(';')[0] === type)?.[1]
  if (!content) throw new Error(`${said}: the document has no ${type}`)
  if (!/[/+]json$/.test(type)) return
  if (!Check(content.schema, answer.json())) throw new Error(`${said}: not what its schema says`)
}

/** The admin API whose every injected answer has to be one that its document describes. */
export const checkedApp = async (api: AdminApi): Promise<App> => {
  const app = await buildApp(api)
  await app.ready()
  const operations = operationsOf(app)
  const inject = app.inject.bind(app)
  const checked = async (options: InjectOptions) => {
    const answer = await inject(options)
    mustConform(operations, options, answer)
    return answer
  }
  // Of its overloads the tests use this one.
  return Object.assign(app, { inject: checked as unknown as App['inject'] })
}
