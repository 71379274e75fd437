import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { causeOf } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { problems } from './problem.ts'

const Wanted = Type.Object(
  {
    directory: Type.String({
      minLength: 1,
      maxLength: 4096,
      description: "An absolute path on the gateway's machine, of a directory that does not exist yet.",
    }),
  },
  { additionalProperties: false },
)
const Made = Type.Object({
  directory: Type.String(),
  files: Type.Integer(),
  octets: Type.Integer(),
  position: Type.Integer({ description: 'Of the last event in it.' }),
})

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const backupRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, { backups }) => {
  const schema = {
    summary: 'Back everything up into a new directory',
    description: 'Answered when the backup is whole and durable; mail goes on meanwhile. One at a time.',
    body: Wanted,
    response: { 201: Made, ...problems },
  }
  app.post('', { config: { access: 'administer' }, schema }, async (request, reply) =>
    reply.code(201).send(await backups.make(request.body.directory, causeOf(request))),
  )
}
