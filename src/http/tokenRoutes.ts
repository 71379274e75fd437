import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import type { Token, TokenUse } from '../access/tokens.ts'
import { causeOf } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { found } from './mailboxRoutes.ts'
import { problems } from './problem.ts'
import { RoleName } from './sessionRoutes.ts'

const closed = { additionalProperties: false }
/** Ten years, in seconds. */
const longest = 10 * 365 * 86_400
const NewToken = Type.Object(
  {
    role: RoleName,
    name: Type.Optional(Type.String({ maxLength: 100, description: 'What it is for. Stands in the log.' })),
    mailboxes: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 320 }), {
        minItems: 1,
        maxItems: 100,
        description: 'Mailbox ids, addresses or aliases: the only mailboxes that it may know of. Without it, all.',
      }),
    ),
    expires: Type.Optional(
      Type.Integer({ minimum: 1, maximum: longest, description: 'Seconds from now; without it, never.' }),
    ),
  },
  closed,
)
const time = Type.Union([Type.String(), Type.Null()])
const Token = {
  tokenId: Type.String(),
  name: Type.Union([Type.String(), Type.Null()]),
  role: RoleName,
  mailboxes: Type.Union([Type.Array(Type.String()), Type.Null()], { description: 'Null: all.' }),
  issuedAt: Type.String(),
  expires: time,
}
const Issued = Type.Object({
  ...Token,
  token: Type.String({ description: 'Shown this once: only a digest of it is kept.' }),
})
const Listed = Type.Object({
  ...Token,
  lastUsed: Type.Union([Type.String(), Type.Null()], { description: 'To within ten minutes.' }),
})
const config = { access: 'administer' } as const

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const tokenRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, api) => {
  const { tokens } = api.access

  const list = {
    summary: 'List the tokens that were not revoked',
    response: { 200: Type.Object({ tokens: Type.Array(Listed) }), ...problems },
  }
  app.get('', { config, schema: list }, async () => ({ tokens: (await tokens.list()).map(listed) }))

  const issue = { summary: 'Issue a token', body: NewToken, response: { 201: Issued, ...problems } }
  app.post('', { config, schema: issue }, async (request, reply) => {
    const { name, role, mailboxes: names, expires } = request.body
    const ids = names && [...new Set(names.map((one) => found(api, one, request).mailboxId))]
    const token = await tokens.issue({ name, role, mailboxes: ids ?? null, expiresAfter: expires }, causeOf(request))
    return reply.code(201).send({ ...shown(token), token: token.secret.reveal() })
  })

  const revoke = {
    summary: 'Revoke a token',
    params: Type.Object({ id: Type.String({ maxLength: 40 }) }),
    response: { 204: Type.Null({ description: 'Done' }), ...problems },
  }
  app.delete('/:id', { config, schema: revoke }, async (request, reply) => {
    await tokens.revoke(request.params.id, causeOf(request))
    return reply.code(204).send(null)
  })
}

const shown = ({ tokenId, name, role, mailboxes, issuedAt, expires }: Token) => ({
  tokenId,
  name,
  role,
  mailboxes: mailboxes && [...mailboxes],
  issuedAt: issuedAt.toISOString(),
  expires: expires?.toISOString() ?? null,
})

const listed = (token: TokenUse): Static<typeof Listed> => ({
  ...shown(token),
  lastUsed: token.lastUsed?.toISOString() ?? null,
})
