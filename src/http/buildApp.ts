import swagger from '@fastify/swagger'
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import fastify from 'fastify'
import type { ViewReader } from '../../projections/projection.ts'
import type { Listening } from '../clientSetup.ts'
import type { Backups } from '../backup/backups.ts'
import { GatewayError } from '../core/errors.ts'
import { type MailboxId, newSessionId, type VaultKey } from '../core/ids.ts'
import type { KeyFile } from '../core/keyring.ts'
import type { Moment } from '../core/moment.ts'
import type { EventFinder } from '../core/eventSearch.ts'
import type { Clock, EventLog, Logger } from '../core/ports.ts'
import type { Secret } from '../core/secret.ts'
import type { AccessControl } from '../access/openAccess.ts'
import type { Senders } from '../access/senders.ts'
import type { Audit } from '../audit.ts'
import type { Answer, Question } from '../history.ts'
import type { Observation } from '../metrics/observation.ts'
import type { Mailboxes } from '../mailboxes.ts'
import type { KeyChanges } from '../mailboxes/keyChanges.ts'
import type { Retention } from '../retention.ts'
import type { Proxies } from '../proxy/connect.ts'
import type { ViewsStatus } from '../storage/viewsState.ts'
import type { OpenMessage } from '../openMessage.ts'
import type { ServedPair } from '../wire/serveTls.ts'
import { oneHandshake } from '../wire/oneHandshake.ts'
import { strictTransport } from '../wire/strictTransport.ts'
import { strongTls } from '../wire/strongTls.ts'
import { healthPath, readyPath, requireAccess } from './authentication.ts'
import { requireDeclarations } from './authorization.ts'
import { administratorRoutes } from './administratorRoutes.ts'
import { clientSetupRoutes } from './clientSetupRoutes.ts'
import { backupRoutes } from './backupRoutes.ts'
import type { Cursors } from './cursors.ts'
import { refuseWhileClosing } from './closing.ts'
import { docsPath, docsRoutes, documentPath } from './docsRoutes.ts'
import { eventRoutes } from './eventRoutes.ts'
import { healthRoutes } from './healthRoutes.ts'
import { historyRoutes } from './historyRoutes.ts'
import { keyRoutes } from './keyRoutes.ts'
import { mailboxChangeRoutes } from './mailboxChangeRoutes.ts'
import { mailboxRoutes } from './mailboxRoutes.ts'
import { liveRoutes } from './liveRoutes.ts'
import { messageRoutes } from './messageRoutes.ts'
import { notePeerAddresses } from './peerAddress.ts'
import { recordedSessionRoutes } from './recordedSessionRoutes.ts'
import { statisticsRoutes } from './statisticsRoutes.ts'
import { cookieName } from './sessionCookie.ts'
import { senderRoutes } from './senderRoutes.ts'
import { sessionRoutes } from './sessionRoutes.ts'
import { statusRoutes } from './statusRoutes.ts'
import { answerNoHttp } from './noHttp.ts'
import { tokenRoutes } from './tokenRoutes.ts'
import { answerProblems, Problem, sendProblem } from './problem.ts'

/** Everything that the admin API does. Failures are `GatewayError`s: their codes are what a client sees. */
export type AdminApi = {
  readonly version: string
  /** The gateway's domain: of the mailboxes' addresses, and of aliases that are given without one. */
  readonly domain: string
  /** Of the local command line. */
  readonly token: Secret
  readonly access: AccessControl
  readonly senders: Pick<Senders, 'issue' | 'list' | 'revoke'>
  readonly audit: Audit
  /** What they have changed is durable and seen in the views when they resolve. */
  readonly mailboxes: Mailboxes
  readonly restore: Retention['restore']
  readonly views: {
    readonly reader: ViewReader
    status(): ViewsStatus
  }
  readonly log: Pick<EventLog, 'readAll' | 'readStream' | 'head'> & Partial<EventFinder>
  readonly clock: Clock
  readonly cursors: Cursors
  /** The views as of any moment; `overloaded` when too many ask at once. */
  readonly history: { ask(question: Question, moment: Moment, signal: AbortSignal): Promise<Answer> }
  readonly keyChanges: KeyChanges
  /** An age file with an identity, as stored. */
  keyFile(mailboxId: MailboxId, wanted: KeyFile): Promise<Uint8Array>
  /** The sealed object as it lies in the vault. */
  sealed(object: VaultKey): AsyncIterable<Uint8Array>
  /** The plaintext. Ends only once the digest was found right and the retrieval recorded; throws otherwise. */
  readonly open: OpenMessage
  readonly mailClients: {
    /** The ports on which the gateway listens now. */
    listening(): readonly Listening[]
    /** Throws `proxy-off` or `proxy-target` for a server that the mailbox's mail clients may not reach. */
    mustReach: Proxies['mustReach']
  }
  readonly backups: Pick<Backups, 'make'>
  /** What the gateway tells those who watch over it; see `Observation`. */
  readonly observation: Observation
  /** Whether /metrics needs no token. */
  readonly metricsAreOpen: boolean
  refused(source: string, kind: string): void
  readonly logger: Logger
}

/** The names and keys of TLS; without them the app is for `inject` only. */
export type ServerCertificate = ServedPair

/** Octets of a request's body: nothing that is sent here is large. */
const bodyLimit = 64 * 1024
/** Characters of a name in a path: an address has at most 320 (RFC 5321 §4.5.3.1), each at most three when escaped. */
const maxParamLength = 1000
/** Milliseconds for a request to arrive, and of silence between two on one connection. */
const requestTimeout = 30_000
const keepAliveTimeout = 5_000

/** Which request it was: the correlation id of the events that it causes, and `requestId` in the gateway's own lines. */
const requestIdHeader = 'x-request-id'

const everyAnswer = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...strictTransport } as const

/** The admin API, not yet listening. */
export const buildApp = async (api: AdminApi, certificate?: ServerCertificate) => {
  const app = fastify({
    https: { ...strongTls, ...certificate },
    logger: false,
    bodyLimit,
    requestTimeout,
    keepAliveTimeout,
    routerOptions: { maxParamLength },
    genReqId: newSessionId,
    clientErrorHandler: answerNoHttp,
    // Its own answer would be no problem document.
    return503OnClosing: false,
    // What never reaches a route: a path that cannot be decoded.
    frameworkErrors: (error, _, reply) =>
      void sendProblem(reply, new GatewayError('request-invalid', { detail: 'The path is not valid', cause: error })),
  })
    .setValidatorCompiler(TypeBoxValidatorCompiler)
    .withTypeProvider<TypeBoxTypeProvider>()
  app.server.on('secureConnection', oneHandshake)
  app.removeContentTypeParser('text/plain')
  app.addSchema(Problem)
  notePeerAddresses(app)
  app.addHook('onRequest', async ({ id }, reply) => {
    void reply.headers({ ...everyAnswer, [requestIdHeader]: id })
  })
  refuseWhileClosing(app)
  requireDeclarations(app)
  requireAccess(app, api)
  answerProblems(app, api.logger)
  await app.register(swagger, { openapi: description(api.version) })
  await app.register(healthRoutes, api)
  await app.register(statusRoutes, { ...api, prefix: '/v1/status' })
  await app.register(mailboxRoutes, { ...api, prefix: '/v1/mailboxes' })
  await app.register(clientSetupRoutes, { ...api, prefix: '/v1/mailboxes' })
  await app.register(mailboxChangeRoutes, { ...api, prefix: '/v1/mailboxes' })
  await app.register(keyRoutes, { ...api, prefix: '/v1/mailboxes' })
  await app.register(messageRoutes, { ...api, prefix: '/v1/messages' })
  await app.register(eventRoutes, { ...api, prefix: '/v1/events' })
  await app.register(liveRoutes, { ...api, prefix: '/v1/live' })
  await app.register(recordedSessionRoutes, { ...api, prefix: '/v1/sessions' })
  await app.register(statisticsRoutes, { ...api, prefix: '/v1/statistics' })
  await app.register(historyRoutes, { ...api, prefix: '/v1/history' })
  await app.register(sessionRoutes, { ...api, prefix: '/v1/session' })
  await app.register(administratorRoutes, { ...api, prefix: '/v1/administrators' })
  await app.register(tokenRoutes, { ...api, prefix: '/v1/tokens' })
  await app.register(senderRoutes, { ...api, prefix: '/v1/senders' })
  await app.register(backupRoutes, { ...api, prefix: '/v1/backups' })
  docsRoutes(app)
  return app
}

export type App = Awaited<ReturnType<typeof buildApp>>

const description = (version: string) => ({
  openapi: '3.1.0' as const,
  info: {
    title: 'Sealpost admin API',
    version,
    description: `Every path but ${healthPath}, ${readyPath}, ${docsPath}, ${documentPath} and the login needs a token, or in browsers the cookie of a login. Failures are problem details (RFC 9457) with a stable \`code\`.`,
  },
  components: {
    securitySchemes: {
      token: { type: 'http' as const, scheme: 'bearer' },
      session: { type: 'apiKey' as const, in: 'cookie', name: cookieName },
    },
  },
  security: [{ token: [] }, { session: [] }],
})
