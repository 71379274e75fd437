import type { FastifyInstance } from 'fastify'
import { docsPage, docsPolicy } from './docsPage.ts'
import { completed, type OpenApi } from './openapi.ts'

export const docsPath = '/docs'
export const documentPath = '/v1/openapi.json'

/** The document, and a page of it. Both are public: they say what every copy of the program says, and nothing of this one. */
export const docsRoutes = (app: FastifyInstance): void => {
  // Anybody may ask, so each is made once.
  let known: OpenApi | undefined
  let documentText: string | undefined
  let page: string | undefined
  // The generator's own type lets everything be missing.
  const document = () => (known ??= completed(app.swagger() as unknown as OpenApi))
  const schema = { hide: true }
  app.get(documentPath, { config: { access: 'public' }, schema }, (_, reply) =>
    reply.type('application/json; charset=utf-8').send((documentText ??= JSON.stringify(document()))),
  )
  app.get(docsPath, { config: { access: 'public' }, schema }, (_, reply) =>
    reply
      .header('content-security-policy', docsPolicy)
      .type('text/html; charset=utf-8')
      .send((page ??= docsPage(document()))),
  )
}
