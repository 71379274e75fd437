import type { pop3Proxy } from '../../actors/pop3Proxy.ts'
import { pop3ProxyNotation } from '../../actors/pop3ProxyNotation.ts'
import type { Pop3Mechanism, Pop3ProxyEmitted } from '../../actors/pop3ProxySetup.ts'
import type { Relayed } from '../../actors/pop3Setup.ts'
import type { Proxied, RemoteStatus } from '../../actors/proxied.ts'
import { startSession } from '../../actors/session.ts'
import { startTranscript } from '../../actors/transcript.ts'
import type { Archive, Delivery } from '../archive.ts'
import type { Limits, ProxySettings } from '../config.ts'
import { GatewayError } from '../core/errors.ts'
import type { SessionOutcome } from '../core/events.ts'
import { type EventId, type MailboxId, newMessageId, newSessionId, type SessionId } from '../core/ids.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { formatTarget } from '../core/target.ts'
import type { RecordedSession, SessionRecorder } from '../sessions.ts'
import type { Flight } from '../wire/flight.ts'
import type { Admitted, Proxies } from './connect.ts'
import type { Dialled } from './dial.ts'
import type { Fingerprints } from './fingerprint.ts'
import { type Identified, type RecordedContent, remoteMessages } from './pop3Message.ts'
import { openPassage, type Outlet, type Passage } from './pop3Passage.ts'
import { pop3Remote } from './pop3Remote.ts'
import { pop3TraceHeader } from './pop3Trace.ts'
import { pop3Words } from './pop3Words.ts'
import { wired, type Works, worksOf } from './pop3Works.ts'
import type { ProxyCredentials } from './sasl.ts'

/** What proxy connections need of the gateway. */
export type Pop3ProxyParts = {
  readonly proxies: Proxies
  readonly archive: Archive
  readonly flight: Flight
  readonly sessions: SessionRecorder
  readonly fingerprints: Fingerprints
  readonly caughtUp: () => Promise<void>
  readonly recorded: (mailboxId: MailboxId, origin: string) => RecordedContent | undefined
  readonly settings: Pick<ProxySettings, 'loginTimeout' | 'answerTimeout' | 'holdTimeout' | 'bytesInFlight'>
  readonly limits: Pick<Limits, 'messageSize' | 'transcript'>
  readonly clock: Clock
  readonly logger: Logger
}

/** The session of a mail client. */
export type ProxyClient = Outlet & {
  readonly sessionId: SessionId
  readonly remoteAddress: string
  /** The remote server has taken the login; gives the event that the proxy connection follows from. */
  loggedIn(mailboxId: MailboxId): EventId
  /** The connection is over, whatever ended it. */
  gone(): void
}

/** A mail client's connection to its server. One login, one thing asked at a time; all of it rejects with a `GatewayError`. */
export type Pop3Proxy = {
  /** What the remote server says to the login, or to a further response: `begin` writes it. */
  login(): Promise<RemoteStatus>
  answer(line: Buffer): Promise<RemoteStatus>
  /** `line` is what the client has written. */
  relay(asked: Proxied, line: Buffer): Promise<Relayed>
  /** Writes what the remote server has said, as far as it may be. */
  pass(): void
  /** Resolves when the reply may be ended. */
  passOn(): Promise<void>
  end(): void
  /** Ends it at once unless it is over: nothing that was deleted takes effect. */
  close(outcome: SessionOutcome): void
}

export type Pop3Proxies = {
  /** Dials. Rejects with what the person at the mail client is told. */
  open(client: ProxyClient, credentials: ProxyCredentials, signal: AbortSignal): Promise<Pop3Proxy>
}

export const openPop3Proxies = (parts: Pop3ProxyParts): Pop3Proxies => {
  const running = new Map<string, Works>()
  const machine = wired(running)
  return {
    open: async (client, credentials, signal) => {
      const { remoteAddress } = client
      const admitted = await parts.proxies.admit({ name: credentials.name, service: 'pop3', remoteAddress })
      try {
        const dialled = await admitted.dial(signal)
        return connection({ ...parts, running, machine }, { client, credentials, admitted, dialled })
      } catch (error) {
        admitted.release()
        throw error
      }
    },
  }
}

type Shared = Pop3ProxyParts & { readonly running: Map<string, Works>; readonly machine: typeof pop3Proxy }
type Opened = {
  readonly client: ProxyClient
  readonly credentials: ProxyCredentials
  readonly admitted: Admitted
  readonly dialled: Dialled
}

/** The shell around one `pop3Proxy`. */
const connection = (shared: Shared, { client, credentials, admitted, dialled }: Opened): Pop3Proxy => {
  const { settings, sessions, clock } = shared
  const sessionId = newSessionId()
  const { mailbox, user, target } = admitted
  const dialledTarget = formatTarget({ server: target.server, port: dialled.port })
  const words = pop3Words(credentials, user)
  const remote = pop3Remote(
    dialled,
    { server: target.server, answerTimeout: settings.answerTimeout },
    { gone: () => session.getSnapshot().hasTag('ready') && close('lost') },
  )
  const messages = remoteMessages({
    ...shared,
    remote,
    mailboxId: mailbox.mailboxId,
    server: target.server,
    user,
  })
  let recorded: RecordedSession | undefined
  let passage: Passage = openPassage(client, settings.bytesInFlight)

  const deliveryOf = ({ origin }: Identified): Delivery => {
    const messageId = newMessageId()
    const { mailboxId, recipient, generation } = mailbox
    return {
      messageId,
      mailboxId,
      recipient,
      generation,
      source: 'pop3-proxy',
      sessionId: client.sessionId,
      remoteAddress: client.remoteAddress,
      cause: recordedNow(recorded).cause(),
      tls: remote.tls(),
      trace: pop3TraceHeader({ messageId, sessionId: client.sessionId, target: dialledTarget, user, at: clock.now() }),
      target: dialledTarget,
      ...(origin === undefined ? {} : { fingerprint: { origin, key: shared.fingerprints.key } }),
    }
  }
  const works = worksOf({ shared, remote, words, messages, deliveryOf, passage: () => passage })
  shared.running.set(sessionId, works)

  const loggedIn = () => {
    clearTimeout(deadline)
    admitted.succeeded()
    recorded = sessions.proxied({
      sessionId,
      clientAddress: client.remoteAddress,
      cause: client.loggedIn(mailbox.mailboxId),
      connected: {
        clientSessionId: client.sessionId,
        protocol: 'pop3-proxy',
        target: dialledTarget,
        remoteAddress: dialled.address,
        tls: remote.tls(),
        mechanism: words.mechanism(),
      },
    })
    words.forget()
  }
  const onEmit = (emitted: Pop3ProxyEmitted) => {
    if (emitted.type === 'loggedIn') loggedIn()
    else if (emitted.type === 'release') passage.release()
    else if (emitted.type === 'fail') passage.fail(emitted.error)
    else {
      if (emitted.status === 'err' && !recorded && words.proved() && isRefusal(remote.statusLine())) admitted.failed()
      passage.answer(emitted.status)
    }
  }
  const finish = (outcome: SessionOutcome) => {
    clearTimeout(deadline)
    shared.running.delete(sessionId)
    if (outcome === 'quit') remote.end()
    else if (outcome === 'refused') remote.end('QUIT')
    else remote.destroy()
    admitted.release()
    passage.fail(new GatewayError('proxy-lost'))
    recorded?.closed({ outcome, ...remote.octets(), transcript: transcript.text() })
    client.gone()
  }

  const input = { session: sessionId, secure: dialled.secure, mechanism: mechanismOf(credentials) }
  const now = () => clock.now().getTime()
  const transcript = startTranscript(pop3ProxyNotation, { sessionId, input, limit: shared.limits.transcript, now })
  const deadline = setTimeout(() => {
    const detail = `${target.server} did not finish the login in time, try again later`
    remote.fail(new GatewayError('proxy-lost', { detail }))
  }, settings.loginTimeout * 1000)
  const session = startSession(shared.machine, {
    input,
    transcript,
    onEmit,
    onDone: () => finish(session.getSnapshot().context.outcome),
    onError: (error) => {
      shared.logger.error({ err: error, sessionId }, 'A POP3 proxy connection ended by a defect')
      finish('failed')
    },
  })
  const close = (outcome: SessionOutcome) => {
    if (session.getSnapshot().status === 'active') session.send({ type: 'closed', outcome })
  }
  const status = async () => (await passage.relayed).status

  return {
    login: status,
    answer: (line) => {
      passage = openPassage(client, settings.bytesInFlight)
      words.heard(line)
      session.send({ type: 'answer' })
      return status()
    },
    relay: (asked, line) => {
      passage = openPassage(client, settings.bytesInFlight)
      words.heard(line)
      if (session.getSnapshot().status !== 'active') return Promise.reject(new GatewayError('proxy-lost'))
      session.send({ type: 'asked', ...asked })
      return passage.relayed
    },
    pass: () => passage.begin(remote.statusLine()),
    passOn: () => passage.released(),
    end: () => passage.end(),
    close,
  }
}

/** The machine takes messages only after the login. */
const recordedNow = (recorded: RecordedSession | undefined): RecordedSession => {
  if (!recorded) throw new GatewayError('internal')
  return recorded
}

/** A client's LOGIN is SMTP's. */
const mechanismOf = ({ mechanism }: ProxyCredentials): Pop3Mechanism => (mechanism === 'LOGIN' ? 'USER' : mechanism)

/** RFC 2449 §8, RFC 3206: a maildrop that is in use, or a server that is not well, says nothing of the password. */
const isRefusal = (statusLine: Buffer) => !/^-ERR \[(?:IN-USE|LOGIN-DELAY|SYS)/i.test(statusLine.toString('latin1'))
