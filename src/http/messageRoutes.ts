import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { findMessages, type Message as MessageView, messageOf } from '../../projections/messages.ts'
import { inScope } from '../core/access.ts'
import { GatewayError } from '../core/errors.ts'
import { isMessageId } from '../core/ids.ts'
import { plain } from '../core/plain.ts'
import { Secret } from '../core/secret.ts'
import { validReason } from '../mailboxes/typed.ts'
import { timelineOf } from '../timeline.ts'
import { causeOf, requestIdOf } from './authentication.ts'
import { whoOf } from './authorization.ts'
import type { AdminApi } from './buildApp.ts'
import { literals } from './literals.ts'
import { found, words } from './mailboxRoutes.ts'
import { begun, octets } from './octets.ts'
import { after, limit, next, order, pagesOf } from './pages.ts'
import { peerAddressOf } from './peerAddress.ts'
import { periodOf, since, until } from './period.ts'
import { problems } from './problem.ts'

const closed = { additionalProperties: false }
const time = Type.Union([Type.String(), Type.Null()])
export const Message = Type.Object({
  messageId: Type.String(),
  mailboxId: Type.String(),
  size: Type.Integer({ description: 'Octets of the plaintext.' }),
  wireSize: Type.Integer({ description: 'Octets as POP3 lists it.' }),
  source: Type.String({ description: 'How it came: journal, smtp-proxy or pop3-proxy.' }),
  target: Type.Union([Type.String(), Type.Null()], { description: 'The server that a proxy had dialled for it.' }),
  relay: Type.Union([Type.String(), Type.Null()], {
    description: 'Of a message sent through the proxy: pending, accepted, unknown or refused by the server.',
  }),
  senderChecks: Type.Union(
    [
      Type.Object({
        spf: Type.String({
          description: 'Of SPF (RFC 7208 §2.6): pass, fail, softfail, neutral, none, temperror or permerror.',
        }),
        dkim: Type.Array(Type.String(), {
          description: 'Of each DKIM signature (RFC 8601 §2.7.1): pass, fail, policy, neutral, temperror or permerror.',
        }),
      }),
      Type.Null(),
    ],
    { description: 'What was found out about its sender, where smtp.senderChecks has it recorded. Results only.' },
  ),
  sessionId: Type.String(),
  receivedAt: Type.String(),
  generation: Type.Integer(),
  sealedSize: Type.Integer(),
  sealedSha256: Type.String(),
  retrievals: Type.Integer({ description: 'How often it was opened for somebody, whole or its beginning.' }),
  lastRetrievedAt: time,
  state: Type.String({
    description:
      'retrievable; deleted: it has left the maildrop; purging, purged: destroyed; of the proxy: pending, refused.',
  }),
  deletedAt: Type.Union([Type.String(), Type.Null()], { description: 'When it left the maildrop.' }),
  purgedAt: Type.Union([Type.String(), Type.Null()], { description: 'When it was destroyed.' }),
})
const Messages = Type.Object({ messages: Type.Array(Message), next })
const TimelineEntry = Type.Object({
  position: Type.String(),
  recordedAt: Type.String({ description: "By the log's own clock." }),
  type: Type.String(),
  what: Type.String({ description: 'The same in words.' }),
  principal: Type.String({ description: 'Who caused it.' }),
  sessionId: Type.String({ description: 'The session, or the request to this API, in which it happened.' }),
  protocol: Type.Union([Type.String(), Type.Null()], { description: "Of a peer's session." }),
  remoteAddress: Type.Union([Type.String(), Type.Null()]),
})
const Timeline = Type.Object({ timeline: Type.Array(TimelineEntry), next })
const Listed = Type.Object(
  {
    mailbox: Type.Optional(
      Type.String({ minLength: 1, maxLength: 320, description: 'Mailbox id, address or alias; without it of all.' }),
    ),
    source: Type.Optional(literals('journal', 'smtp-proxy', 'pop3-proxy')),
    state: Type.Optional(literals('pending', 'refused', 'retrievable', 'deleted', 'purging', 'purged')),
    since: since('Received'),
    until: until('Received'),
    order,
    after,
    limit,
  },
  closed,
)
const Named = Type.Object({ id: Type.String({ maxLength: 36 }) })
const Opening = Type.Object(
  {
    password: Type.String({ minLength: 1, maxLength: 1024 }),
    reason: Type.Optional(words(200, 'Why. Stands in the log.')),
  },
  closed,
)
const Part = Type.Object(
  { part: Type.Optional(Type.Literal('headers', { description: 'The header alone, with the empty line after it.' })) },
  closed,
)
const sealedType = 'application/octet-stream'
const plainType = 'message/rfc822'

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const messageRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, api) => {
  app.get(
    '',
    {
      config: { access: 'read', scoped: true },
      schema: {
        summary: 'List messages',
        description: 'Of one mailbox or of all. A page may be empty and yet have a next one.',
        querystring: Listed,
        response: { 200: Messages, ...problems },
      },
    },
    async (request) => {
      const { mailbox, source, state, since, until, order = 'oldest' } = request.query
      mustBeBuilt(api)
      const mailboxId = mailbox === undefined ? undefined : found(api, mailbox, request).mailboxId
      const filter = { mailboxId, only: whoOf(request).scope, source, state, period: periodOf({ since, until }) }
      const pages = pagesOf(api.cursors, 'messages', mailboxId, source, state, since, until, order)
      const wanted = pages.request(request.query)
      await api.audit.read({ record: 'messages', ...(mailboxId && { mailboxId }) }, causeOf(request))
      const page = findMessages(api.views.reader, filter, { ...wanted, order })
      return { messages: page.items.map(shown), next: pages.next(page) }
    },
  )

  app.get(
    '/:id',
    {
      config: { access: 'read', scoped: true },
      schema: { summary: 'Show a message', params: Named, response: { 200: Message, ...problems } },
    },
    async (request) => {
      const { mailboxId, messageId } = known(api, request.params.id, request)
      await api.audit.read({ record: 'message', mailboxId, messageId }, causeOf(request))
      return shown(known(api, messageId, request))
    },
  )

  const timeline = {
    summary: 'The life of a message',
    description:
      'Everything that the log says about it, in the order of the log: when, what, by whom, in which session.',
    params: Named,
    querystring: Type.Object({ after, limit }, closed),
    response: { 200: Timeline, ...problems },
  }
  app.get('/:id/timeline', { config: { access: 'review', scoped: true }, schema: timeline }, async (request) => {
    const { params, query } = request
    const { mailboxId, messageId } = known(api, params.id, request)
    const pages = pagesOf(api.cursors, 'timeline', messageId)
    const wanted = pages.request(query)
    await api.audit.read({ record: 'message', mailboxId, messageId }, causeOf(request))
    const page = await timelineOf({ log: api.log, reader: api.views.reader }, messageId, wanted)
    return { timeline: page.entries.map(plain) as Static<typeof TimelineEntry>[], next: pages.next(page) }
  })

  const sealed = { summary: 'The sealed message', response: { 200: octets(sealedType, 'An age file.'), ...problems } }
  app.get(
    '/:id/sealed',
    // No HEAD: it would be recorded as taken.
    { config: { access: 'review', scoped: true }, exposeHeadRoute: false, schema: { ...sealed, params: Named } },
    async (request, reply) => {
      const { mailboxId, messageId, object } = present(known(api, request.params.id, request))
      const octetsOf = await begun(api.sealed(object))
      await api.audit.opened({ record: 'sealed', mailboxId, messageId }, causeOf(request)).catch((error: unknown) => {
        octetsOf.destroy()
        throw error
      })
      return reply
        .type(sealedType)
        .header('content-disposition', `attachment; filename="${messageId}.age"`)
        .send(octetsOf)
    },
  )

  const restore = {
    summary: 'Put a message that left the maildrop into it again',
    params: Named,
    response: { 204: Type.Null({ description: 'Done' }), ...problems },
  }
  app.post('/:id/restore', { config: { access: 'operate', scoped: true }, schema: restore }, async (request, reply) => {
    const { mailboxId, messageId } = known(api, request.params.id, request)
    await api.restore({ mailboxId, messageId }, causeOf(request))
    return reply.code(204).send(null)
  })

  const open = {
    summary: 'Open a message',
    description:
      'Recorded as a retrieval, with who and why. If the connection breaks, what has come is not to be trusted.',
    response: { 200: octets(plainType, 'The message, to the octet.'), ...problems },
  }
  app.post(
    '/:id/open',
    {
      config: { access: 'review', scoped: true },
      schema: { ...open, params: Named, querystring: Part, body: Opening },
    },
    async (request, reply) => {
      const message = present(known(api, request.params.id, request))
      const plaintext = api.open({
        message,
        password: new Secret(request.body.password),
        part: request.query.part,
        reason: request.body.reason === undefined ? undefined : validReason(request.body.reason),
        requestId: requestIdOf(request),
        remoteAddress: peerAddressOf(request),
        cause: causeOf(request),
      })
      return reply
        .type(plainType)
        .header('content-disposition', `attachment; filename="${message.messageId}.eml"`)
        .send(await begun(plaintext))
    },
  )
}

/** A message in the scope of who asks. Throws `message-unknown`. */
export const known = ({ views }: AdminApi, id: string, request: FastifyRequest): MessageView => {
  const message = isMessageId(id) ? messageOf(views.reader, id) : undefined
  if (message !== undefined && inScope(whoOf(request).scope, message.mailboxId)) return message
  throw new GatewayError(unknownIn[views.status().state])
}

/** Throws `message-purged` for one that is no more, or that may be gone at any moment. */
const present = (message: MessageView): MessageView => {
  if (message.state === 'purging' || message.state === 'purged') throw new GatewayError('message-purged')
  return message
}

/** Views that may be behind do not prove that there is none. */
const unknownIn = {
  live: 'message-unknown',
  behind: 'views-behind',
  stalled: 'storage-failed',
  stopped: 'storage-failed',
  closed: 'shutting-down',
} as const

/** Half of a list must not pass for the whole. */
export const mustBeBuilt = ({ views }: Pick<AdminApi, 'views'>) => {
  if (views.status().state === 'behind') throw new GatewayError('views-behind')
}

const shown = (message: MessageView): Static<typeof Message> => ({
  messageId: message.messageId,
  mailboxId: message.mailboxId,
  size: message.size,
  wireSize: message.wireSize,
  source: message.source,
  target: message.target ?? null,
  relay: message.relay ?? null,
  senderChecks: message.senderChecks ? { spf: message.senderChecks.spf, dkim: [...message.senderChecks.dkim] } : null,
  sessionId: message.sessionId,
  receivedAt: message.receivedAt,
  generation: message.generation,
  sealedSize: message.sealedSize,
  sealedSha256: message.sealedSha256,
  retrievals: message.retrievals,
  lastRetrievedAt: message.lastRetrievedAt ?? null,
  state: message.state,
  deletedAt: message.deletedAt ?? null,
  purgedAt: message.purgedAt ?? null,
})
