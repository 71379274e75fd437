import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { asGatewayError } from '../core/errors.ts'
import { GatewayError } from '../core/errors.ts'
import type { Change } from '../mailboxes.ts'
import { causeOf } from './authentication.ts'
import { whoOf } from './authorization.ts'
import type { AdminApi } from './buildApp.ts'
import { found, Named, ProxyLimits, SenderPolicy, words } from './mailboxRoutes.ts'
import { problems } from './problem.ts'
import { Conditional, etag, etagOf, revisionsIn } from './revision.ts'

const closed = { additionalProperties: false }
const Reason = Type.Object({ reason: words(200, 'Stands in the log.') }, closed)
const Deletion = Type.Object(
  {
    ...Reason.properties,
    force: Type.Optional(Type.Boolean({ description: 'Even if it holds mail that nobody has collected.' })),
  },
  closed,
)
const Name = Type.Object({ name: words(200, 'Whose mailbox it is. Stands in the log.') }, closed)
const addresses = (description: string) =>
  Type.Optional(Type.Array(words(320, 'An address. Stands in the log.'), { maxItems: 100, description }))
const Aliases = Type.Object(
  { add: addresses('Whose mail it shall receive too.'), remove: addresses('Whose mail it shall receive no longer.') },
  closed,
)
const maxGrace = 3650 * 86_400
const Retention = Type.Object(
  {
    grace: Type.Union([Type.Integer({ minimum: 0, maximum: maxGrace }), Type.Null()], {
      description: 'Seconds; null: what is configured.',
    }),
  },
  closed,
)
/** Why a mailbox has to stay: those who try to delete it all the same are recorded. */
const refusals = ['mailbox-conflict', 'mailbox-held', 'mailbox-not-empty'] as const
const operate = { access: 'operate', scoped: true } as const
const administer = { access: 'administer', scoped: true } as const
const done = { type: 'null', description: 'Done', headers: etag }

const schemaOf = (summary: string) => ({
  summary,
  params: Named,
  headers: Conditional,
  response: { 204: done, ...problems },
})

/** Changes of a mailbox: each answers with its new revision, and takes the one that it insists on. */
// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const mailboxChangeRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, api) => {
  const { mailboxes, audit } = api
  const changeOf = (request: FastifyRequest<{ Params: { id: string } }>): Change => ({
    mailboxId: found(api, request.params.id, request).mailboxId,
    cause: causeOf(request),
    ifMatch: revisionsIn(request.headers['if-match']),
  })

  app.put('/:id/name', { config: operate, schema: { ...schemaOf('Rename'), body: Name } }, async (request, reply) => {
    const revision = await mailboxes.rename(changeOf(request), request.body.name)
    return reply.code(204).header('etag', etagOf(revision)).send(null)
  })

  const limit = schemaOf('Say whom its mail clients may reach through the proxy, and from where')
  app.put('/:id/proxy', { config: operate, schema: { ...limit, body: ProxyLimits } }, async (request, reply) => {
    const revision = await mailboxes.limitProxy(changeOf(request), request.body)
    return reply.code(204).header('etag', etagOf(revision)).send(null)
  })

  const police = schemaOf(
    'Say from whom it takes mail, beyond what the listeners ask of all; what is empty asks for nothing',
  )
  app.put(
    '/:id/sender-policy',
    { config: operate, schema: { ...police, body: SenderPolicy } },
    async (request, reply) => {
      const revision = await mailboxes.setSenderPolicy(changeOf(request), request.body)
      return reply.code(204).header('etag', etagOf(revision)).send(null)
    },
  )

  const retain = schemaOf('Say how long a message can be restored that has left the maildrop, before it is destroyed')
  app.put('/:id/retention', { config: administer, schema: { ...retain, body: Retention } }, async (request, reply) => {
    const revision = await mailboxes.retain(changeOf(request), request.body.grace)
    return reply.code(204).header('etag', etagOf(revision)).send(null)
  })

  const aliases = schemaOf('Add and remove aliases; to add what it has or remove what it has not changes nothing')
  app.post('/:id/aliases', { config: operate, schema: { ...aliases, body: Aliases } }, async (request, reply) => {
    const { add = [], remove = [] } = request.body
    // An address is the whole gateway's: which are free, and whose they shall be, is not said within a scope.
    if (add.length > 0 && whoOf(request).scope) throw new GatewayError('scope-insufficient')
    const revision = await mailboxes.changeAliases(changeOf(request), { add, remove })
    return reply.code(204).header('etag', etagOf(revision)).send(null)
  })

  const resume = schemaOf('Resume a suspended mailbox')
  app.post('/:id/resume', { config: operate, schema: resume }, async (request, reply) => {
    const revision = await mailboxes.resume(changeOf(request))
    return reply.code(204).header('etag', etagOf(revision)).send(null)
  })

  const deletion = schemaOf('Delete a suspended mailbox, for good: its messages and identities are destroyed at once')
  app.post('/:id/delete', { config: administer, schema: { ...deletion, body: Deletion } }, async (request, reply) => {
    const { reason, force = false } = request.body
    const change = changeOf(request)
    const revision = await mailboxes.delete(change, { reason, force }).catch(async (error: unknown) => {
      const because = refusals.find((code) => code === asGatewayError(error).code)
      if (because) await audit.deletionRefused({ mailboxId: change.mailboxId, because }, change.cause)
      throw error
    })
    return reply.code(204).header('etag', etagOf(revision)).send(null)
  })

  const withReason = {
    suspend: 'Suspend: new mail is put off with 450; what is there can still be collected',
    hold: 'Place a legal hold: nothing of the mailbox is destroyed until it is released',
    release: 'Release a legal hold',
  } as const
  for (const action of ['suspend', 'hold', 'release'] as const) {
    const schema = { ...schemaOf(withReason[action]), body: Reason }
    const config = action === 'suspend' ? operate : administer
    app.post(`/:id/${action}`, { config, schema }, async (request, reply) => {
      const revision = await mailboxes[action](changeOf(request), request.body.reason)
      return reply.code(204).header('etag', etagOf(revision)).send(null)
    })
  }
}
