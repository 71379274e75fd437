import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import type { OneTime } from '../access/administrators.ts'
import { causeOf } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { problems } from './problem.ts'
import { RoleName } from './sessionRoutes.ts'

const closed = { additionalProperties: false }
const Name = Type.String({
  minLength: 1,
  maxLength: 63,
  description: 'Of a-z, 0-9, "." and "-". Stands in the log.',
})
const NewAdministrator = Type.Object({ name: Name, role: Type.Optional(RoleName) }, closed)
const Administrator = Type.Object({
  name: Type.String(),
  role: RoleName,
  oneTimeUntil: Type.Union([Type.String(), Type.Null()], {
    description: 'Until when the password works that has to be changed; null when it is their own.',
  }),
})
const Given = Type.Object({
  name: Type.String(),
  role: RoleName,
  password: Type.String({ description: 'Shown this once. It has to be changed at its first use.' }),
  oneTimeUntil: Type.String(),
})
const Named = Type.Object({ name: Type.String({ maxLength: 63 }) })
const config = { access: 'administer' } as const

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const administratorRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, { access }) => {
  const { administrators, sessions } = access

  const list = {
    summary: 'List who may log in by name',
    response: { 200: Type.Object({ administrators: Type.Array(Administrator) }), ...problems },
  }
  app.get('', { config, schema: list }, async () => {
    const all = await administrators.list()
    return {
      administrators: all.map(({ name, role, oneTimeUntil }) => ({
        name,
        role,
        oneTimeUntil: oneTimeUntil?.toISOString() ?? null,
      })),
    }
  })

  const add = {
    summary: 'Let somebody log in by name',
    description: 'An administrator unless another role is said.',
    body: NewAdministrator,
    response: { 201: Given, ...problems },
  }
  app.post('', { config, schema: add }, async (request, reply) => {
    const { name, role = 'admin' } = request.body
    const made = await administrators.add({ name, role }, access.oneTimeUntil(), causeOf(request))
    return reply.code(201).send(given(made))
  })

  const reset = {
    summary: 'Give somebody a new password, for once',
    params: Named,
    response: { 200: Given, ...problems },
  }
  app.post('/:name/reset', { config, schema: reset }, async (request) => {
    const made = await administrators.reset(request.params.name, access.oneTimeUntil(), causeOf(request))
    sessions.end(made.name)
    return given(made)
  })

  const remove = {
    summary: 'Let somebody log in no longer',
    params: Named,
    response: { 204: Type.Null({ description: 'Done' }), ...problems },
  }
  app.delete('/:name', { config, schema: remove }, async (request, reply) => {
    const { name } = request.params
    await administrators.remove(name, causeOf(request))
    sessions.end(name.toLowerCase())
    return reply.code(204).send(null)
  })
}

const given = ({ name, role, password, until }: OneTime): Static<typeof Given> => ({
  name,
  role,
  password: password.reveal(),
  oneTimeUntil: until.toISOString(),
})
