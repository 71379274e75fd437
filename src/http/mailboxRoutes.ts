import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { type Figures as FiguresView, figuresOf } from '../../projections/figures.ts'
import { listMailboxes, type Mailbox as MailboxView, mailboxAmong, mailboxNamed } from '../../projections/mailboxes.ts'
import { allows } from '../core/access.ts'
import { GatewayError } from '../core/errors.ts'
import { refusals, requirements } from '../core/senderPolicy.ts'
import { type Generation as GenerationView, keyFilesOf, newestGeneration } from '../core/keyring.ts'
import { causeOf } from './authentication.ts'
import { whoOf } from './authorization.ts'
import type { AdminApi } from './buildApp.ts'
import { literals } from './literals.ts'
import { octets } from './octets.ts'
import { after, limit, next, pagesOf } from './pages.ts'
import { problems } from './problem.ts'
import { etag, etagOf } from './revision.ts'

const closed = { additionalProperties: false }
export const words = (maxLength: number, description: string) => Type.String({ minLength: 1, maxLength, description })

const NewMailbox = Type.Object(
  {
    name: words(200, 'Whose mailbox it is. Stands in the log.'),
    aliases: Type.Optional(
      Type.Array(words(320, 'An address whose mail it receives. Stands in the log.'), { maxItems: 100 }),
    ),
    recovery: Type.Optional(
      words(100, 'An age recipient (age1…) whose identity, kept elsewhere, opens the mail too. Stands in the log.'),
    ),
  },
  closed,
)
const CreatedMailbox = Type.Object({
  mailboxId: Type.String(),
  address: Type.String(),
  password: Type.String({ description: 'Shown this once: without it the mail cannot be read.' }),
})
export const ProxyLimits = Type.Object(
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
export const SenderPolicy = Type.Object(
  {
    networks: Type.Array(words(50, 'Whence its mail may come, such as 192.0.2.0/24. Stands in the log.'), {
      maxItems: 100,
      description: 'Empty: from everywhere.',
    }),
    requires: Type.Array(literals(...requirements), {
      maxItems: requirements.length,
      description: 'What a sender must show. A certificate and a token are shown under TLS only.',
    }),
    certificateNames: Type.Array(words(253, 'A host name, such as mail.example.com. Stands in the log.'), {
      maxItems: 100,
      description: 'A client certificate for one of them is required; empty: for any name, where one is required.',
    }),
    refusal: literals(...refusals),
  },
  closed,
)
const KnownMailbox = Type.Object(
  {
    mailboxId: Type.String(),
    address: Type.String(),
    code: Type.Literal('password-already-shown', { description: 'Whoever asked first has been told it.' }),
  },
  { description: 'An earlier request with the same key has made it.' },
)
const Keyed = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]{1,255}$',
      description:
        'Whoever asks again with the same key, of the same gateway, gets the same mailbox, without its password. A digest of it stands in the log.',
    }),
  ),
})
const time = (description: string) => Type.Union([Type.String(), Type.Null()], { description })
export const Figures = Type.Object({
  messages: Type.Integer({ description: 'In the maildrop: what a POP3 client would see.' }),
  octets: Type.Integer({ description: 'Of these, opened.' }),
  sealedMessages: Type.Integer({ description: 'In the vault, those too that have left the maildrop.' }),
  sealedOctets: Type.Integer({ description: 'Of these, sealed.' }),
  oldestAt: time('When the first message of the maildrop was received.'),
  lastReceivedAt: time('When a message was received last.'),
  lastRetrievedAt: time('When a message was retrieved last.'),
})
const Generation = Type.Object({
  generation: Type.Integer(),
  recipient: Type.String(),
  createdAt: Type.String({ description: 'When its key was made.' }),
  wrappedTo: Type.Union([Type.Literal('password'), Type.Integer()], {
    description: 'What opens its identity: a password, or the identity of another generation.',
  }),
  sha256: Type.String({ description: 'Of the file with its identity.' }),
  recovery: Type.Union([Type.Object({ recipient: Type.String(), sha256: Type.String() }), Type.Null()], {
    description: 'The same identity wrapped to a recovery recipient, and the digest of that file.',
  }),
})
export const Mailbox = Type.Object({
  mailboxId: Type.String(),
  name: Type.String(),
  address: Type.String(),
  aliases: Type.Array(Type.String()),
  state: Type.Union(
    [Type.Literal('active'), Type.Literal('suspended'), Type.Literal('deleted'), Type.Literal('destroyed')],
    { description: 'What was of a deleted mailbox is destroyed; when that is done it is `destroyed`.' },
  ),
  hold: Type.Union([Type.Object({ reason: Type.String(), since: Type.String() }), Type.Null()], {
    description: 'The legal hold: while it stands, nothing of the mailbox is destroyed.',
  }),
  recipient: Type.String({ description: 'The age recipient under which new mail is sealed.' }),
  generation: Type.Integer(),
  generations: Type.Array(Generation, {
    description: 'Its keys, the oldest first; new mail is sealed under the last.',
  }),
  recovery: Type.Union([Type.String(), Type.Null()], {
    description: 'The age recipient to whom the identities of new keys are wrapped as well.',
  }),
  proxy: ProxyLimits,
  senderPolicy: SenderPolicy,
  grace: Type.Union([Type.Integer(), Type.Null()], {
    description: 'Seconds after which messages that left the maildrop are destroyed; null: what is configured.',
  }),
  createdAt: Type.String(),
  revision: Type.Integer({ description: 'Its ETag: of its last change.' }),
  messages: Type.Union([Type.Integer(), Type.Null()], {
    description: 'How many messages a POP3 client would see; null while the views are being built.',
  }),
  figures: Type.Union([Figures, Type.Null()], {
    description: 'What it holds, and when something last came and went; null while the views are being built.',
  }),
})
const Mailboxes = Type.Object({ mailboxes: Type.Array(Mailbox), next })
export const Named = Type.Object({ id: Type.String({ maxLength: 320, description: 'Mailbox id, address or alias' }) })
const Paged = Type.Object({ after, limit }, closed)
const WhichFile = Type.Object(
  {
    generation: Type.Optional(Type.Integer({ minimum: 1, description: 'Otherwise the newest.' })),
    wrapped: Type.Optional(
      Type.Union([Type.Literal('own'), Type.Literal('recovery')], {
        description: "recovery: as it is wrapped to the recovery recipient; otherwise the mailbox's own.",
      }),
    ),
  },
  closed,
)

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const mailboxRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, api) => {
  const shown = shownBy(api)
  const pages = pagesOf(api.cursors, 'mailboxes')

  const create = {
    summary: 'Create a mailbox',
    headers: Keyed,
    body: NewMailbox,
    response: { 200: KnownMailbox, 201: CreatedMailbox, ...problems },
  }
  app.post('', { config: { access: 'operate' }, schema: create }, async (request, reply) => {
    const { name, aliases = [], recovery } = request.body
    // Whose identity opens the mail is no operator's to say.
    if (recovery !== undefined && !allows('administer', whoOf(request).role))
      throw new GatewayError('role-insufficient')
    const idempotencyKey = request.headers['idempotency-key']
    const cause = causeOf(request)
    const wanted = { name, aliases, recovery, idempotencyKey, cause }
    const { mailboxId, address, password } = await api.mailboxes.create(wanted)
    if (password) return reply.code(201).send({ mailboxId, address, password: password.reveal() })
    return reply.code(200).send({ mailboxId, address, code: 'password-already-shown' as const })
  })

  app.get(
    '',
    {
      config: { access: 'read', scoped: true },
      schema: { summary: 'List mailboxes', querystring: Paged, response: { 200: Mailboxes, ...problems } },
    },
    (request) => {
      const page = listMailboxes(api.views.reader, { ...pages.request(request.query), only: whoOf(request).scope })
      return { mailboxes: shown(page.items), next: pages.next(page) }
    },
  )

  app.get(
    '/:id',
    {
      config: { access: 'read', scoped: true },
      schema: {
        summary: 'Show a mailbox',
        params: Named,
        response: { 200: { ...Mailbox, headers: etag }, ...problems },
      },
    },
    (request, reply) => {
      const mailbox = found(api, request.params.id, request)
      void reply.header('etag', etagOf(mailbox.revision))
      const [one] = shown([mailbox])
      return one
    },
  )

  const identity = {
    summary: 'A file with an identity of the mailbox',
    description:
      "An age file: the mailbox's password opens it, or the identity of the generation to which it is wrapped, or that of the recovery recipient.",
    response: { 200: octets('application/octet-stream', 'An age file.'), ...problems },
  }
  app.get(
    '/:id/identity',
    {
      config: { access: 'administer', scoped: true },
      exposeHeadRoute: false, // It would be recorded as taken.
      schema: { ...identity, params: Named, querystring: WhichFile },
    },
    async (request, reply) => {
      const { mailboxId, keyring } = found(api, request.params.id, request)
      const { generation = newestGeneration(keyring)?.generation, wrapped = 'own' } = request.query
      const wanted = keyFilesOf(keyring).find(
        (one) => one.generation === generation && (one.kind === 'recovery') === (wrapped === 'recovery'),
      )
      if (!wanted) throw new GatewayError('request-invalid', { detail: 'The mailbox has no such identity' })
      const file = await api.keyFile(mailboxId, wanted)
      await api.audit.exported({ mailboxId, generations: [wanted.generation] }, causeOf(request))
      const name = `${mailboxId}.${wanted.generation}${wanted.kind === 'recovery' ? '.recovery' : ''}.age`
      return reply
        .type('application/octet-stream')
        .header('content-disposition', `attachment; filename="${name}"`)
        .send(Buffer.from(file))
    },
  )
}

/**
 * The mailbox of an id, an address made of one, or an alias, as far as it is in the scope of who asks. Throws
 * `mailbox-unknown`.
 */
export const found = ({ views, domain }: AdminApi, name: string, request: FastifyRequest): MailboxView => {
  const { scope } = whoOf(request)
  // What is not in it is not even looked for: how long an answer takes tells nothing.
  const mailbox = scope ? mailboxAmong(views.reader, domain, { name, scope }) : mailboxNamed(views.reader, domain, name)
  if (mailbox !== undefined) return mailbox
  // A view that is behind does not prove that there is none.
  throw new GatewayError(views.status().mailboxesKnown ? 'mailbox-unknown' : 'storage-failed')
}

const shownBy = ({ views, domain }: AdminApi) => {
  const one = (mailbox: MailboxView, figures: FiguresView | null): Static<typeof Mailbox> => ({
    ...mailbox,
    address: `${mailbox.mailboxId}@${domain}`,
    aliases: [...mailbox.aliases],
    hold: mailbox.hold ?? null,
    generations: mailbox.keyring.generations.map(shownGeneration),
    recovery: mailbox.keyring.recovery,
    grace: mailbox.grace ?? null,
    proxy: { targets: [...mailbox.proxy.targets], networks: [...mailbox.proxy.networks] },
    senderPolicy: shownPolicy(mailbox.senderPolicy),
    messages: figures && figures.messages,
    figures,
  })
  return (mailboxes: readonly MailboxView[]) => {
    if (views.status().state === 'behind') return mailboxes.map((mailbox) => one(mailbox, null))
    const of = figuresOf(
      views.reader,
      mailboxes.map(({ mailboxId }) => mailboxId),
    )
    return mailboxes.map((mailbox) => one(mailbox, of(mailbox.mailboxId)))
  }
}

const shownPolicy = ({ networks, requires, certificateNames, refusal }: MailboxView['senderPolicy']) => ({
  networks: [...networks],
  requires: [...requires],
  certificateNames: [...certificateNames],
  refusal,
})

const shownGeneration = ({ generation, recipient, createdAt, wrappedTo, sha256, recovery }: GenerationView) => ({
  generation,
  recipient,
  createdAt,
  wrappedTo,
  sha256,
  recovery,
})
