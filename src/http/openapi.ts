import { answerTo, errorCodes } from '../core/errors.ts'
import { exampleOf, type Schema } from './examples.ts'

type Json = Readonly<Record<string, unknown>>
type Content = Readonly<Record<string, { readonly schema: Schema }>>
type Operation = Json & {
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, Json & { readonly content?: Content }>>
}
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>
export type OpenApi = Json & { readonly paths: Paths; readonly components: { readonly schemas: Json } & Json }

/**
 * The document that the schemas of the routes have given, completed with what follows from it: an id and a tag for each
 * operation, an example of each body, and every code that a problem can have.
 */
export const completed = (document: OpenApi): OpenApi => {
  const paths = Object.fromEntries(
    Object.entries(document.paths).map(([path, methods]) => {
      const plain = path.length > 1 ? path.replace(/\/$/, '') : path
      return [plain, mapped(methods, (operation, method) => completeOperation(document, method, plain, operation))]
    }),
  )
  const tags = [...new Set(Object.keys(paths).map(tagOf))].map((name) => ({ name }))
  const { schemas } = document.components
  return {
    ...document,
    tags,
    paths,
    components: { ...document.components, schemas: mapped(schemas, (schema) => withCodes(schema as Schema)) },
  }
}

const mapped = <T, U>(record: Readonly<Record<string, T>>, to: (one: T, name: string) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, one]) => [name, to(one, name)]))

const completeOperation = (document: OpenApi, method: string, path: string, operation: Operation): Operation => ({
  operationId: operationIdOf(method, path),
  tags: [tagOf(path)],
  ...operation,
  ...(operation.requestBody && {
    requestBody: { ...operation.requestBody, content: withExamples(document, operation.requestBody.content) },
  }),
  responses: mapped(operation.responses, ({ content, ...response }) => ({
    ...response,
    ...(content && { content: withExamples(document, content) }),
  })),
})

/** `put /v1/mailboxes/{id}/name`: `putMailboxesName`; `get /v1/mailboxes/{id}`: `getMailboxesById`. */
const operationIdOf = (method: string, path: string) => {
  const words = path
    .replace(/^\/v1/, '')
    .split('/')
    .filter((word) => word !== '')
  const last = words.at(-1) ?? ''
  const named = words.filter((word) => !word.startsWith('{'))
  const end = last.startsWith('{') ? `-by-${last.slice(1, -1)}` : ''
  return `${method}-${named.join('-')}${end}`.replaceAll(/[-.](\w)/g, (_, letter: string) => letter.toUpperCase())
}

const tagOf = (path: string) => (path.startsWith('/v1/') ? (path.split('/')[2] ?? '') : 'operations')

const withExamples = (document: OpenApi, content: Content): Content =>
  mapped(content, (of, type) =>
    /[/+]json$/.test(type) ? { ...of, example: exampleOf(schemaIn(document, of.schema)) } : of,
  )

/** Of the document's own references there are only those to whole schemas. */
const schemaIn = ({ components }: OpenApi, schema: Schema): Schema => {
  const ref = schema['$ref']
  return typeof ref === 'string' ? (components.schemas[ref.split('/').at(-1) ?? ''] as Schema) : schema
}

/** The table of codes stands where the code does. */
const withCodes = (schema: Schema): Schema => {
  if (schema['title'] !== 'Problem') return schema
  const { code, ...properties } = schema['properties'] as Readonly<Record<string, Schema>>
  const codes = errorCodes.map((one) => {
    const { http, text, retry } = answerTo(one)
    return { const: one, description: `${http}: ${text}.${retry ? ' The same request may succeed later.' : ''}` }
  })
  return { ...schema, properties: { ...properties, code: { ...code, oneOf: codes } } }
}
