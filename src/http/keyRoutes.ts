import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Secret } from '../core/secret.ts'
import type { KeyChange, KeysChanged } from '../mailboxes/keyChanges.ts'
import { causeOf, requestIdOf } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { found, Named } from './mailboxRoutes.ts'
import { peerAddressOf } from './peerAddress.ts'
import { problems } from './problem.ts'
import { Conditional, etag, etagOf, revisionsIn } from './revision.ts'

const closed = { additionalProperties: false }
const secret = (description: string) => Type.String({ minLength: 1, maxLength: 1024, description })
const newPassword = Type.Optional(
  secret('12 to 128 printable ASCII characters. Without it one is generated, and told in the answer alone.'),
)
const password = secret("The mailbox's password.")

const Change = Type.Object(
  { oldPassword: secret('What it opens, the new one opens from now on.'), newPassword },
  closed,
)
const Rotation = Type.Object({ password }, closed)
const Reset = Type.Object({ newPassword }, closed)
const Recovery = Type.Object(
  {
    password,
    recipient: Type.Union([Type.String({ minLength: 1, maxLength: 100 }), Type.Null()], {
      description: 'An age recipient (age1…) whose identity is kept elsewhere; null: nobody.',
    }),
  },
  closed,
)
const Recovering = Type.Object(
  {
    identity: Type.String({
      minLength: 1,
      maxLength: 30_000,
      description: 'An age identity file in the clear: of the recovery recipient, or of the mailbox itself.',
    }),
    newPassword,
  },
  closed,
)

const changed = {
  generations: Type.Array(Type.Integer(), {
    description: 'The key generations that the password opens now, the oldest first.',
  }),
  shut: Type.Union([Type.Object({ messages: Type.Integer(), inMaildrop: Type.Integer() }), Type.Null()], {
    description:
      'How many messages of the mailbox, that were not destroyed, it does not open, and how many of them POP3 would list. Null when that could not be counted: the change is made all the same.',
  }),
}
const told = {
  password: Type.Optional(
    Type.String({ description: 'If it was generated: shown this once. Without it the mail cannot be read.' }),
  ),
}
const Changed = Type.Object(changed)
const Password = Type.Object({ ...changed, ...told })
const Rotated = Type.Object({ ...changed, recipient: Type.String({ description: 'New mail is sealed to it.' }) })

const schemaOf = <T>(summary: string, description: string, answer: T) => ({
  summary,
  description,
  params: Named,
  headers: Conditional,
  response: { 200: { ...answer, headers: etag }, ...problems },
})

/** Changes of a mailbox's keys. None of them makes mail unreadable that was readable. */
// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const keyRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, api) => {
  const { keyChanges } = api
  const config = { access: 'administer', scoped: true } as const
  const changeOf = (request: FastifyRequest<{ Params: { id: string } }>): KeyChange => ({
    mailboxId: found(api, request.params.id, request).mailboxId,
    cause: causeOf(request),
    ifMatch: revisionsIn(request.headers['if-match']),
    requestId: requestIdOf(request),
    remoteAddress: peerAddressOf(request),
  })

  const change = schemaOf(
    'Change the password',
    'The old password opens nothing any more. Who chooses the new one has it even if the answer is lost.',
    Password,
  )
  app.post('/:id/password', { config, schema: { ...change, body: Change } }, async (request, reply) => {
    const { oldPassword, newPassword: wanted } = request.body
    const done = await keyChanges.changePassword(changeOf(request), { old: new Secret(oldPassword), wanted })
    return reply.header('etag', etagOf(done.revision)).send({ ...shown(done), ...shownPassword(done.password) })
  })

  const rotate = schemaOf(
    'Rotate the key',
    'New mail is sealed under a new key. The password stays, and opens old and new mail.',
    Rotated,
  )
  app.post('/:id/rotate-key', { config, schema: { ...rotate, body: Rotation } }, async (request, reply) => {
    const done = await keyChanges.rotateKey(changeOf(request), new Secret(request.body.password))
    return reply.header('etag', etagOf(done.revision)).send({ ...shown(done), recipient: done.recipient })
  })

  const reset = schemaOf(
    'Reset the password, without the old one',
    'New mail is sealed under a new key with a new password. The mail that there is stays under the old one, which opens it as before: `shut` says how much that is.',
    Password,
  )
  app.post('/:id/reset-password', { config, schema: { ...reset, body: Reset } }, async (request, reply) => {
    const done = await keyChanges.resetPassword(changeOf(request), { wanted: request.body.newPassword })
    return reply.header('etag', etagOf(done.revision)).send({ ...shown(done), ...shownPassword(done.password) })
  })

  const recovery = schemaOf(
    'Say who can recover the mailbox',
    'The keys that the password opens, and those to come, are wrapped to this recipient as well.',
    Changed,
  )
  app.put('/:id/recovery', { config, schema: { ...recovery, body: Recovery } }, async (request, reply) => {
    const { password: given, recipient } = request.body
    const done = await keyChanges.setRecovery(changeOf(request), { password: new Secret(given), recipient })
    return reply.header('etag', etagOf(done.revision)).send(shown(done))
  })

  const recover = schemaOf(
    'Recover a mailbox whose password is lost',
    'A new password for all mail that the identity opens.',
    Password,
  )
  app.post('/:id/recover', { config, schema: { ...recover, body: Recovering } }, async (request, reply) => {
    const { identity, newPassword: wanted } = request.body
    const done = await keyChanges.recover(changeOf(request), { identity: new Secret(identity), wanted })
    return reply.header('etag', etagOf(done.revision)).send({ ...shown(done), ...shownPassword(done.password) })
  })
}

const shown = ({ generations, shut }: KeysChanged) => ({ generations: [...generations], shut })
const shownPassword = (password: Secret | undefined) => (password ? { password: password.reveal() } : {})
