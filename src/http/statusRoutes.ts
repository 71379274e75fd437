import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { whoOf } from './authorization.ts'
import type { AdminApi } from './buildApp.ts'
import { problems } from './problem.ts'

export const ViewsState = Type.Union(
  [
    Type.Literal('live'),
    Type.Literal('behind'),
    Type.Literal('stalled'),
    Type.Literal('stopped'),
    Type.Literal('closed'),
  ],
  {
    description:
      'live; behind: being built; stalled: the disk is in the way, it goes on by itself; stopped: at an event that ' +
      'cannot be read, or for another reason that the log of the gateway tells.',
  },
)
const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(of: T, description: string) =>
  Type.Union([of, Type.Null()], { description })

const Status = Type.Object({
  version: Type.String(),
  views: Type.Object({
    state: ViewsState,
    position: nullable(Type.String(), 'Everything up to here is in the views; null before the first event.'),
    reason: nullable(Type.String(), 'Why they have stalled or stopped.'),
    event: nullable(
      Type.Object({
        position: Type.String(),
        stream: Type.String(),
        revision: Type.Integer(),
        type: Type.String(),
      }),
      'The event that has stopped them; null for who may not know of every mailbox.',
    ),
    progress: nullable(
      Type.Object({
        folded: Type.Integer(),
        total: nullable(Type.Integer(), 'Null where the log cannot tell.'),
        perSecond: Type.Integer(),
      }),
      'Of their building, while they are behind.',
    ),
    mailboxesKnown: Type.Boolean({ description: 'Whether mail for every mailbox is received.' }),
  }),
})

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const statusRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, { views, version }) => {
  const schema = { summary: 'How the gateway is, and why', response: { 200: Status, ...problems } }
  app.get('', { config: { access: 'read', scoped: true }, schema }, (request) => {
    const { state, position, reason = null, event = null, progress, mailboxesKnown } = views.status()
    const { scope } = whoOf(request)
    const shown = progress ? { ...progress, total: progress.total ?? null } : null
    return {
      version,
      views: {
        state,
        position: position || null,
        reason,
        event: scope ? null : event,
        progress: shown,
        mailboxesKnown,
      },
    }
  })
}
