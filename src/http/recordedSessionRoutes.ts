import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import { readTranscript } from '../../actors/readTranscript.ts'
import { findSessions, type Session as SessionView, sessionOf } from '../../projections/sessions.ts'
import { inScope } from '../core/access.ts'
import { GatewayError } from '../core/errors.ts'
import type { Recorded } from '../core/events.ts'
import { isSessionId } from '../core/ids.ts'
import { plain } from '../core/plain.ts'
import { sessionStream } from '../core/streams.ts'
import { transcriptDigest } from '../core/transcriptDigest.ts'
import { whoOf } from './authorization.ts'
import { causeOf } from './authentication.ts'
import type { AdminApi } from './buildApp.ts'
import { literals } from './literals.ts'
import { found } from './mailboxRoutes.ts'
import { mustBeBuilt } from './messageRoutes.ts'
import { after, limit, next, order, pagesOf } from './pages.ts'
import { periodOf, since, until } from './period.ts'
import { problems } from './problem.ts'

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(of: T, description: string) =>
  Type.Union([of, Type.Null()], { description })
const protocols = literals('smtp', 'smtps', 'submission', 'submissions', 'pop3', 'pop3s', 'smtp-proxy', 'pop3-proxy')
const outcomes = literals('quit', 'lost', 'timeout', 'refused', 'shutdown', 'failed')

const facts = {
  sessionId: Type.String(),
  state: literals('live', 'past'),
  node: Type.String({ description: 'The gateway that it was with.' }),
  protocol: nullable(protocols, '`smtp-proxy` and `pop3-proxy` are connections of the gateway on behalf of a client.'),
  remoteAddress: nullable(Type.String(), 'Of the client, or of the server of a proxy connection.'),
  clientSessionId: nullable(Type.String(), 'On whose behalf a proxy connection is.'),
  target: nullable(Type.String(), 'The server that a proxy connection has dialled.'),
  tls: nullable(Type.Object({ version: Type.String(), cipher: Type.String() }), 'What protected the connection.'),
  openedAt: nullable(Type.String(), 'When it was first recorded: a peer that only connects is not.'),
  mailboxId: nullable(Type.String(), 'That a POP3 client logged in to.'),
  closedAt: nullable(Type.String(), 'Null while it lives.'),
  outcome: nullable(outcomes, 'How it ended.'),
  octetsIn: nullable(Type.Integer(), 'From the peer.'),
  octetsOut: nullable(Type.Integer(), 'To the peer.'),
}
const Session = Type.Object(facts)
const Sessions = Type.Object({ sessions: Type.Array(Session), next })
const Transcript = Type.Object({
  intact: Type.Boolean({ description: 'Whether its SHA-256 is the recorded one.' }),
  sha256: nullable(Type.String(), 'As recorded.'),
  machine: Type.String(),
  version: Type.String(),
  truncated: Type.Boolean({ description: 'The session went on beyond what was recorded.' }),
  steps: Type.Array(
    Type.Object({
      at: Type.Integer({ description: 'Milliseconds since the session began.' }),
      event: Type.String({ description: 'What the machine was told; empty for its start.' }),
      state: Type.String(),
      replies: Type.Array(Type.String()),
    }),
  ),
})
const SessionWithTranscript = Type.Object({
  ...facts,
  transcript: nullable(Transcript, 'What was done in it; null while it lives, and where none was left.'),
})
const Listed = Type.Object(
  {
    state: Type.Optional(literals('live', 'past')),
    mailbox: Type.Optional(
      Type.String({ minLength: 1, maxLength: 320, description: 'That a POP3 client logged in to.' }),
    ),
    protocol: Type.Optional(protocols),
    remoteAddress: Type.Optional(Type.String({ maxLength: 64 })),
    outcome: Type.Optional(outcomes),
    node: Type.Optional(Type.String({ maxLength: 200 })),
    since: since('Began'),
    until: until('Began'),
    order,
    after,
    limit,
  },
  { additionalProperties: false },
)
const Named = Type.Object({ id: Type.String({ maxLength: 36 }) })

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const recordedSessionRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, api) => {
  const list = {
    summary: 'List sessions, live and past',
    description: 'A page may be empty and yet have a next one.',
    querystring: Listed,
    response: { 200: Sessions, ...problems },
  }
  app.get('', { config: { access: 'review', scoped: true }, schema: list }, async (request) => {
    const { state, mailbox, protocol, remoteAddress, outcome, node, order = 'oldest', ...period } = request.query
    mustBeBuilt(api)
    const mailboxId = mailbox === undefined ? undefined : found(api, mailbox, request).mailboxId
    const only = whoOf(request).scope
    const filter = { state, mailboxId, only, protocol, remoteAddress, outcome, node, period: periodOf(period) }
    const named = [state, mailboxId, protocol, remoteAddress, outcome, node, period.since, period.until, order]
    const pages = pagesOf(api.cursors, 'sessions', ...named)
    const wanted = pages.request(request.query)
    await api.audit.read({ record: 'sessions', ...(mailboxId && { mailboxId }) }, causeOf(request))
    const page = findSessions(api.views.reader, filter, { ...wanted, order })
    return { sessions: page.items.map(shown), next: pages.next(page) }
  })

  const show = {
    summary: 'Show a session and its transcript',
    description: 'A transcript holds no word that the peer has typed.',
    params: Named,
    response: { 200: SessionWithTranscript, ...problems },
  }
  app.get('/:id', { config: { access: 'review', scoped: true }, schema: show }, async (request) => {
    const { id } = request.params
    const session = isSessionId(id) ? sessionOf(api.views.reader, id) : undefined
    if (!session || !isSeenBy(whoOf(request).scope, session)) {
      mustBeBuilt(api)
      throw new GatewayError('session-unknown')
    }
    await api.audit.read(
      { record: 'sessions', ...(session.mailboxId && { mailboxId: session.mailboxId }) },
      causeOf(request),
    )
    const events = session.closedAt === undefined ? [] : await api.log.readStream(sessionStream(id as never), 0, 1000)
    return { ...shown(session), transcript: transcriptIn(events) }
  })
}

const isSeenBy = (scope: Parameters<typeof inScope>[0], { mailboxId }: SessionView) =>
  scope === undefined || (mailboxId !== undefined && inScope(scope, mailboxId))

const shown = (session: SessionView) =>
  ({ ...plain(session), state: session.closedAt === undefined ? 'live' : 'past' }) as Static<typeof Session>

const transcriptIn = (events: readonly Recorded[]): Static<typeof Transcript> | null => {
  const closed = events.find((event) => event.type === 'SessionClosed')
  if (typeof closed?.data.transcript !== 'string') return null
  const { transcript, transcriptSha256: sha256 } = closed.data
  const written = readTranscript(transcript)
  const intact = transcriptDigest(transcript) === sha256
  if (!written) return { intact: false, sha256, machine: '', version: '', truncated: false, steps: [] }
  const { machine, version, truncated, steps } = written
  return {
    intact,
    sha256,
    machine,
    version,
    truncated,
    steps: steps.map((step) => ({ ...step, replies: [...step.replies] })),
  }
}
