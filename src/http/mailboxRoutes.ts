import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import { countMaildrop } from '../../projections/maildrops.ts'
import { listMailboxes, type Mailbox as MailboxView, mailboxNamed } from '../../projections/mailboxes.ts'
import { GatewayError } from '../core/errors.ts'
import { causeOf } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { octets } from './octets.ts'
import { after, limit, next, nextOf, pageRequest } from './pages.ts'
import { problems } from './problem.ts'

const closed = { additionalProperties: false }
const words = (maxLength: number, description: string) => Type.String({ minLength: 1, maxLength, description })

const NewMailbox = Type.Object(
  {
    name: words(200, 'Whose mailbox it is. Stands in the log.'),
    aliases: Type.Optional(
      Type.Array(words(320, 'An address whose mail it receives. Stands in the log.'), { maxItems: 100 }),
    ),
  },
  closed,
)
const CreatedMailbox = Type.Object({
  mailboxId: Type.String(),
  address: Type.String(),
  password: Type.String({ description: 'Shown this once: without it the mail cannot be read.' }),
})
const ProxyLimits = Type.Object(
  {
    targets: Type.Array(words(300, 'A server, such as pop.example.net:995 or *.example.net. Stands in the log.'), {
      maxItems: 100,
      description: 'Beyond what the configuration lists for all; empty limits nothing.',
    }),
    networks: Type.Array(words(50, 'Whence mail clients may come, such as 192.0.2.0/24. Stands in the log.'), {
      maxItems: 100,
      description: 'Empty limits nothing.',
    }),
  },
  closed,
)
export const Mailbox = Type.Object({
  mailboxId: Type.String(),
  name: Type.String(),
  address: Type.String(),
  aliases: Type.Array(Type.String()),
  state: Type.Union([Type.Literal('active'), Type.Literal('suspended')]),
  recipient: Type.String({ description: 'The age recipient under which new mail is sealed.' }),
  generation: Type.Integer(),
  proxy: ProxyLimits,
  createdAt: Type.String(),
  messages: Type.Union([Type.Integer(), Type.Null()], {
    description: 'How many messages a POP3 client would see; null while the views are being built.',
  }),
})
const Mailboxes = Type.Object({ mailboxes: Type.Array(Mailbox), next })
export const Named = Type.Object({ id: Type.String({ maxLength: 320, description: 'Mailbox id, address or alias' }) })
const Paged = Type.Object({ after, limit }, closed)
const Suspension = Type.Object({ reason: words(200, 'Stands in the log.') }, closed)
const Nothing = Type.Null({ description: 'Done' })

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const mailboxRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, api) => {
  const shown = shownBy(api)

  app.post(
    '',
    { schema: { summary: 'Create a mailbox', body: NewMailbox, response: { 201: CreatedMailbox, ...problems } } },
    async (request, reply) => {
      const { name, aliases = [] } = request.body
      const { mailboxId, address, password } = await api.mailboxes.create({ name, aliases, cause: causeOf(request) })
      return reply.code(201).send({ mailboxId, address, password: password.reveal() })
    },
  )

  app.get(
    '',
    { schema: { summary: 'List mailboxes', querystring: Paged, response: { 200: Mailboxes, ...problems } } },
    (request) => {
      const page = listMailboxes(api.views.reader, pageRequest(request.query))
      return { mailboxes: page.items.map(shown), next: nextOf(page) }
    },
  )

  app.get(
    '/:id',
    { schema: { summary: 'Show a mailbox', params: Named, response: { 200: Mailbox, ...problems } } },
    (request) => shown(found(api, request.params.id)),
  )

  const suspend = {
    summary: 'Suspend: new mail is put off with 450; what is there can still be collected',
    params: Named,
    body: Suspension,
  }
  app.post(
    '/:id/suspend',
    { schema: { ...suspend, response: { 204: Nothing, ...problems } } },
    async (request, reply) => {
      const { mailboxId } = found(api, request.params.id)
      await api.mailboxes.suspend(mailboxId, request.body.reason, causeOf(request))
      return reply.code(204).send(null)
    },
  )

  const resume = { summary: 'Resume a suspended mailbox', params: Named }
  app.post(
    '/:id/resume',
    { schema: { ...resume, response: { 204: Nothing, ...problems } } },
    async (request, reply) => {
      const { mailboxId } = found(api, request.params.id)
      await api.mailboxes.resume(mailboxId, causeOf(request))
      return reply.code(204).send(null)
    },
  )

  const limit = {
    summary: 'Say whom its mail clients may reach through the proxy, and from where',
    params: Named,
    body: ProxyLimits,
  }
  app.put('/:id/proxy', { schema: { ...limit, response: { 204: Nothing, ...problems } } }, async (request, reply) => {
    const { mailboxId } = found(api, request.params.id)
    await api.mailboxes.limitProxy(mailboxId, request.body, causeOf(request))
    return reply.code(204).send(null)
  })

  const identity = octets('application/octet-stream', "The age file that the mailbox's password opens.")
  app.get(
    '/:id/identity',
    {
      schema: { summary: "The mailbox's encrypted identity", params: Named, response: { 200: identity, ...problems } },
    },
    async (request, reply) => {
      const { mailboxId, generation } = found(api, request.params.id)
      const file = await api.identityFile({ mailboxId, generation })
      return reply
        .type('application/octet-stream')
        .header('content-disposition', `attachment; filename="${mailboxId}.${generation}.age"`)
        .send(Buffer.from(file))
    },
  )
}

/** The mailbox of an id, an address made of one, or an alias. Throws `mailbox-unknown`. */
export const found = ({ views, domain }: AdminApi, name: string): MailboxView => {
  const mailbox = mailboxNamed(views.reader, domain, name)
  if (mailbox !== undefined) return mailbox
  // A view that is behind does not prove that there is none.
  throw new GatewayError(views.status().mailboxesKnown ? 'mailbox-unknown' : 'storage-failed')
}

const shownBy =
  ({ views, domain }: AdminApi) =>
  ({
    mailboxId,
    name,
    aliases,
    state,
    recipient,
    generation,
    proxy,
    createdAt,
  }: MailboxView): Static<typeof Mailbox> => ({
    mailboxId,
    name,
    address: `${mailboxId}@${domain}`,
    aliases: [...aliases],
    state,
    recipient,
    generation,
    proxy: { targets: [...proxy.targets], networks: [...proxy.networks] },
    createdAt,
    messages: views.status().state === 'behind' ? null : countMaildrop(views.reader, mailboxId),
  })
