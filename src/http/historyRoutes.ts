import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { type Static, Type } from 'typebox'
import { GatewayError } from '../core/errors.ts'
import { isPosition, timeOf } from '../core/eventFilter.ts'
import type { Moment } from '../core/moment.ts'
import { plain } from '../core/plain.ts'
import type { Answer } from '../history.ts'
import { causeOf } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { goneWith } from './gone.ts'
import { Figures, Mailbox } from './mailboxRoutes.ts'
import { Message } from './messageRoutes.ts'
import { after, limit, next, pagesOf } from './pages.ts'
import { problems } from './problem.ts'

const nullable = (description: string) => Type.Union([Type.String(), Type.Null()], { description })
const AsOf = Type.Object({
  position: nullable(
    'Of the last event that the answer knows of; null before the first. Ask for further pages with it.',
  ),
  recordedAt: nullable("When that event was recorded, by the log's own clock."),
})
const PastMailbox = Type.Object({
  ...Mailbox.properties,
  messages: Type.Integer({ description: 'How many messages a POP3 client would have seen.' }),
  figures: Figures,
})
const PastMessage = Type.Object({
  ...Message.properties,
  object: Type.String({ description: 'Its key in the vault.' }),
})
const MaildropEntry = Type.Pick(PastMessage, [
  'messageId',
  'size',
  'wireSize',
  'object',
  'generation',
  'sealedSize',
  'sealedSha256',
])

const moment = {
  at: Type.Optional(
    Type.String({
      maxLength: 40,
      description: 'A date, or date and time with zone: the log before its first later event.',
    }),
  ),
  position: Type.Optional(Type.String({ maxLength: 64, description: 'The log up to the event at this position.' })),
}
const Asked = Type.Object({ ...moment, after, limit }, { additionalProperties: false })
const mailbox = Type.String({ minLength: 1, maxLength: 320, description: 'Mailbox id, address or alias as of then' })
const AskedOf = Type.Object({ ...moment, mailbox, after, limit }, { additionalProperties: false })

const schemaOf = (summary: string) => ({
  summary,
  description:
    'Folded anew from the event log, beside the gateway: a question about a long log takes its time, further pages do ' +
    'not. Without `at` and `position`: as of now. Few questions are taken at once; 503 says that there are too many.',
})

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const historyRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, { history, cursors, audit }) => {
  const ask = async (reply: FastifyReply, query: Static<typeof Asked>, what: What) => {
    const pages = pagesOf(cursors, 'history', what.view, 'mailbox' in what ? what.mailbox : undefined)
    const gone = goneWith(reply)
    const [page, moment] = [pages.request(query), momentIn(query)]
    const answer = await history.ask({ ...page, ...what }, moment, gone)
    // Only now is it known which mailbox had the name then.
    const { mailboxId } = answer
    await audit.read({ record: 'history', ...(mailboxId && { mailboxId }) }, causeOf(reply.request))
    return { asOf: asOf(answer), items: answer.items.map(plain), next: pages.next(answer) }
  }
  const mailboxes = Type.Object({ asOf: AsOf, mailboxes: Type.Array(PastMailbox), next })
  app.get(
    '/mailboxes',
    {
      config: { access: 'review' },
      schema: {
        ...schemaOf('The mailboxes as of a moment'),
        querystring: Asked,
        response: { 200: mailboxes, ...problems },
      },
    },
    async ({ query }, reply) => {
      const { asOf, items, next } = await ask(reply, query, { view: 'mailboxes' })
      return { asOf, mailboxes: items as Static<typeof PastMailbox>[], next }
    },
  )

  const messages = Type.Object({ asOf: AsOf, messages: Type.Array(PastMessage), next })
  app.get(
    '/messages',
    {
      config: { access: 'review' },
      schema: {
        ...schemaOf("A mailbox's messages as of a moment"),
        querystring: AskedOf,
        response: { 200: messages, ...problems },
      },
    },
    async ({ query }, reply) => {
      const { asOf, items, next } = await ask(reply, query, { view: 'messages', mailbox: query.mailbox })
      return { asOf, messages: items as Static<typeof PastMessage>[], next }
    },
  )

  const maildrop = Type.Object({ asOf: AsOf, maildrop: Type.Array(MaildropEntry), next })
  app.get(
    '/maildrop',
    {
      config: { access: 'review' },
      schema: {
        ...schemaOf('What a POP3 client would have seen of a mailbox at a moment'),
        querystring: AskedOf,
        response: { 200: maildrop, ...problems },
      },
    },
    async ({ query }, reply) => {
      const { asOf, items, next } = await ask(reply, query, { view: 'maildrop', mailbox: query.mailbox })
      return { asOf, maildrop: items as Static<typeof MaildropEntry>[], next }
    },
  )
}

type What = { readonly view: 'mailboxes' } | { readonly view: 'messages' | 'maildrop'; readonly mailbox: string }

const asOf = ({ asOf: { position, recordedAt } }: Answer) => ({
  position: position || null,
  recordedAt: recordedAt ?? null,
})

const momentIn = ({ at, position }: Static<typeof Asked>): Moment => {
  if (at !== undefined && position !== undefined) throw invalid('either `at` or `position`, not both')
  if (position !== undefined) {
    if (!isPosition(position)) throw invalid('querystring/position is not valid')
    return { position }
  }
  if (at === undefined) return 'now'
  const time = timeOf(at)
  if (time === undefined) throw invalid('querystring/at is not valid')
  return { time }
}

const invalid = (detail: string) => new GatewayError('request-invalid', { detail })
