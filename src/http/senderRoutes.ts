import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Sender } from '../access/senders.ts'
import { causeOf } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { found } from './mailboxRoutes.ts'
import { problems } from './problem.ts'

const NewSender = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 100, description: 'Who it is for. Stands in the log.' })),
    mailboxes: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 320 }), {
        minItems: 1,
        maxItems: 100,
        description: 'Mailbox ids, addresses or aliases: the only mailboxes that it may send to. Without it, all.',
      }),
    ),
  },
  { additionalProperties: false },
)
const Sender = {
  senderId: Type.String({ description: 'Its user name for AUTH.' }),
  name: Type.Union([Type.String(), Type.Null()]),
  mailboxes: Type.Union([Type.Array(Type.String()), Type.Null()], { description: 'Null: all.' }),
  issuedAt: Type.String(),
}
const Issued = Type.Object({
  ...Sender,
  token: Type.String({ description: 'Its password for AUTH. Shown this once: only a digest of it is kept.' }),
})
const Listed = Type.Object({
  ...Sender,
  lastUsed: Type.Union([Type.String(), Type.Null()], { description: 'To within ten minutes.' }),
})
const config = { access: 'administer' } as const

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const senderRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, api) => {
  const { senders } = api

  const list = {
    summary: 'List those who send mail with a token of their own, but for the revoked ones',
    response: { 200: Type.Object({ senders: Type.Array(Listed) }), ...problems },
  }
  app.get('', { config, schema: list }, async () => {
    const all = await senders.list()
    return {
      senders: all.map(({ lastUsed, ...sender }) => ({ ...shown(sender), lastUsed: lastUsed?.toISOString() ?? null })),
    }
  })

  const issue = {
    summary: 'Issue a token for sending mail over SMTP; it opens nothing else',
    body: NewSender,
    response: { 201: Issued, ...problems },
  }
  app.post('', { config, schema: issue }, async (request, reply) => {
    const { name, mailboxes: names } = request.body
    const ids = names && [...new Set(names.map((one) => found(api, one, request).mailboxId))]
    const { token, ...sender } = await senders.issue({ name, mailboxes: ids ?? null }, causeOf(request))
    return reply.code(201).send({ ...shown(sender), token: token.reveal() })
  })

  const revoke = {
    summary:
      "Revoke a sender's token; a session that has shown it has no further message accepted, not the one that is coming in either",
    params: Type.Object({ id: Type.String({ maxLength: 40 }) }),
    response: { 204: Type.Null({ description: 'Done' }), ...problems },
  }
  app.delete('/:id', { config, schema: revoke }, async (request, reply) => {
    await senders.revoke(request.params.id, causeOf(request))
    return reply.code(204).send(null)
  })
}

const shown = ({ senderId, name, mailboxes, issuedAt }: Sender) => ({
  senderId,
  name,
  mailboxes: mailboxes && [...mailboxes],
  issuedAt,
})
