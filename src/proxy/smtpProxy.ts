import { type AskedVerb, type Extensions, noExtensions } from '../../actors/proxiedSmtp.ts'
import { runSession } from '../../actors/runSession.ts'
import { smtpProxy } from '../../actors/smtpProxy.ts'
import { smtpProxyNotation } from '../../actors/smtpProxyNotation.ts'
import type { Saying, SmtpMechanism, SmtpProxyEffect, SmtpProxyEvent } from '../../actors/smtpProxySetup.ts'
import type { Archive } from '../archive.ts'
import type { Limits, ProxySettings } from '../config.ts'
import type { SessionOutcome, TlsFacts } from '../core/events.ts'
import { asGatewayError, type GatewayError } from '../core/errors.ts'
import { type EventId, type MailboxId, type MessageId, newSessionId, type SessionId } from '../core/ids.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { formatTarget } from '../core/target.ts'
import type { Relays } from '../relays.ts'
import type { RecordedSession, SessionRecorder } from '../sessions.ts'
import type { Flight } from '../wire/flight.ts'
import type { Admitted, Proxies } from './connect.ts'
import type { Dialled } from './dial.ts'
import type { ProxyCredentials } from './sasl.ts'
import { clientsMessages } from './smtpMessages.ts'
import { offersIn } from './smtpOffers.ts'
import { smtpRemote } from './smtpRemote.ts'
import type { RemoteReply } from './smtpReply.ts'
import { smtpWords } from './smtpWords.ts'

/** What proxy connections need of the gateway. */
export type SmtpProxyParts = {
  /** How the gateway introduces itself. */
  readonly domain: string
  readonly proxies: Proxies
  readonly archive: Archive
  readonly flight: Flight
  readonly sessions: SessionRecorder
  readonly relays: Pick<Relays, 'record'>
  readonly settings: Pick<
    ProxySettings,
    'loginTimeout' | 'answerTimeout' | 'holdTimeout' | 'replyTimeout' | 'bytesInFlight'
  >
  readonly limits: Pick<Limits, 'messageSize' | 'transcript'>
  readonly clock: Clock
  readonly logger: Logger
}

/** The session of a mail client. Called in the order of what happened, never from within a call of the proxy's. */
export type SmtpClient = {
  readonly sessionId: SessionId
  readonly remoteAddress: string
  tls(): TlsFacts
  /** The remote server has taken the login; gives the event that the proxy connection follows from. */
  loggedIn(mailboxId: MailboxId): EventId
  /** The remote server's reply to what it was asked last, and what it can do once it has taken the login. */
  replied(reply: RemoteReply, welcome: Extensions | undefined): void
  /** What was asked last has come to nothing. */
  failed(error: GatewayError): void
  /** There is no remote server any more. */
  lost(): void
  /** More of a message may come. */
  room(): void
  /** The header lines that are sealed before a message. */
  trace(messageId: MessageId): Uint8Array
}

/** A mail client's connection to its server. One thing is asked at a time. */
export type SmtpProxy = {
  /** `line` is for the remote server, Latin-1: MAIL and RCPT as they are to be said. */
  ask(verb: AskedVerb, line: string): void
  /** The client's response to the remote server's challenge. */
  answer(line: string): void
  /** The content of a message, after the server's 354. Whether more may follow at once; else `room` says when. */
  take(pieces: readonly Uint8Array[]): boolean
  /** Whether the client sends far more than it may. */
  isFlood(): boolean
  endOfData(): void
  /** The client is gone; `stopping`: and the gateway waits for nothing any more. */
  leave(stopping: boolean): void
}

export type SmtpProxies = {
  /** Dials and logs in; how that ends the client is told. Rejects with what the person at the mail client is told. */
  open(client: SmtpClient, credentials: ProxyCredentials, signal: AbortSignal): Promise<SmtpProxy>
  /** Waits for no remote server any more. Resolves when what became of every message is recorded, as far as it could be. */
  close(): Promise<void>
}

export const openSmtpProxies = (parts: SmtpProxyParts): SmtpProxies => {
  const running = new Set<SmtpProxy>()
  const working = new Set<Promise<unknown>>()
  const work = (promise: Promise<unknown>) => {
    const settled = () => working.delete(promise)
    working.add(promise)
    promise.then(settled, settled)
  }
  return {
    open: async (client, credentials, signal) => {
      const { remoteAddress } = client
      const admitted = await parts.proxies.admit({ name: credentials.name, service: 'smtp', remoteAddress })
      try {
        const dialled = await admitted.dial(signal)
        return connection({ ...parts, work, running }, { client, credentials, admitted, dialled })
      } catch (error) {
        admitted.release()
        throw error
      }
    },
    close: async () => {
      for (const proxy of running) proxy.leave(true)
      // One work may lead to another: a copy that turns out to be kept is yet to be withdrawn.
      while (working.size > 0) await Promise.allSettled(working)
    },
  }
}

export type Shared = SmtpProxyParts & {
  readonly running: Set<SmtpProxy>
  readonly work: (promise: Promise<unknown>) => void
}
type Opened = {
  readonly client: SmtpClient
  readonly credentials: ProxyCredentials
  readonly admitted: Admitted
  readonly dialled: Dialled
}

/** The shell around one `smtpProxy`. */
const connection = (shared: Shared, { client, credentials, admitted, dialled }: Opened): SmtpProxy => {
  const { settings, domain } = shared
  const sessionId = newSessionId()
  const { mailbox, user } = admitted
  const target = formatTarget({ server: admitted.target.server, port: dialled.port })
  const words = smtpWords(credentials, user)
  let recorded: RecordedSession | undefined
  let reply: RemoteReply | undefined
  let extensions = noExtensions
  let [awaitsOffers, isWelcome, saidGoodbye] = [false, false, false]
  let outcome: SessionOutcome = 'failed'

  const send = (event: SmtpProxyEvent) => session.send(event)
  const replied = (said: RemoteReply) => {
    reply = said
    const offers = awaitsOffers && said.code === 250 ? offersIn(said.texts) : undefined
    awaitsOffers = false
    if (offers) ({ extensions } = offers)
    send(offers ? { type: 'offered', ...offers } : { type: 'replied', code: said.code })
  }
  const remote = smtpRemote(dialled, settings.bytesInFlight, {
    replied,
    nonsense: () => send({ type: 'nonsense' }),
    silent: () => send({ type: 'silent' }),
    room: () => {
      if (session.state() === 'relaying') remote.within(undefined)
      messages.serverRoom()
    },
    closed: () => send({ type: 'closed' }),
  })
  const messages = clientsMessages({
    shared,
    client,
    mailbox,
    target,
    recorded: () => recorded,
    write: (octets) => {
      const room = remote.write(octets)
      if (!room) remote.within(settings.answerTimeout)
      return room
    },
    send,
  })

  const loggedIn = (mechanism: SmtpMechanism) => {
    clearTimeout(deadline)
    words.forget()
    admitted.succeeded()
    isWelcome = true
    recorded = shared.sessions.proxied({
      sessionId,
      clientAddress: client.remoteAddress,
      cause: client.loggedIn(mailbox.mailboxId),
      connected: {
        clientSessionId: client.sessionId,
        protocol: 'smtp-proxy',
        target,
        remoteAddress: dialled.address,
        tls: remote.tls(),
        mechanism,
      },
    })
  }
  const pass = () => {
    if (reply) client.replied(reply, isWelcome ? extensions : undefined)
    isWelcome = false
  }
  const startTls = () =>
    remote.secure().then(
      () => send({ type: 'secured' }),
      (error: unknown) => send({ type: 'unsecured', error }),
    )
  const say = (what: Saying) => {
    saidGoodbye = what === 'quit'
    awaitsOffers = what === 'ehlo'
    if (saidGoodbye) remote.quit()
    else remote.say(words.line(what, domain), settings.answerTimeout)
  }
  const perform = (effect: SmtpProxyEffect): void => {
    switch (effect.type) {
      case 'say':
        say(effect.what)
        break
      case 'authenticate':
        remote.say(words.authLine(effect.mechanism), settings.answerTimeout)
        break
      case 'startTls':
        void startTls()
        break
      case 'loggedIn':
        loggedIn(effect.mechanism)
        break
      case 'loginRefused':
        // RFC 4954 §6: a temporary failure says nothing of the credentials.
        if (effect.code >= 500) admitted.failed()
        break
      case 'pass':
        pass()
        break
      case 'fail':
        client.failed(effect.error)
        break
      case 'relay':
        messages.begin(extensions)
        break
      case 'endData':
        messages.release()
        remote.within(settings.replyTimeout)
        break
      case 'settle':
        messages.settle(effect.outcome === 'silent' ? { is: 'silent' } : { is: effect.outcome, code: effect.code })
        break
      case 'withdraw':
        messages.withdraw(effect.code)
        break
      case 'lost':
        client.lost()
        break
      case 'ended':
        outcome = effect.outcome
    }
  }
  const finish = () => {
    clearTimeout(deadline)
    words.forget()
    if (!saidGoodbye) remote.destroy()
    admitted.release()
    shared.running.delete(proxy)
    recorded?.closed({ outcome, ...remote.octets(), transcript: session.transcript() })
  }

  const deadline = setTimeout(() => send({ type: 'silent' }), settings.loginTimeout * 1000)
  const session = runSession(smtpProxyNotation, {
    machine: smtpProxy,
    sessionId,
    input: { secure: dialled.secure, ...words.begins },
    limit: shared.limits.transcript,
    now: () => shared.clock.now().getTime(),
    onEmit: perform,
    onDone: finish,
    onError: (error) => {
      shared.logger.error({ err: error, sessionId }, 'An SMTP proxy connection ended by a defect')
      messages.withdraw(451)
      client.failed(asGatewayError(error))
      finish()
    },
  })
  remote.within(settings.answerTimeout)

  const proxy: SmtpProxy = {
    ask: (verb, line) => {
      words.heard(line)
      send({ type: 'asked', verb })
    },
    answer: (line) => {
      words.heard(line)
      send({ type: 'answer' })
    },
    take: messages.take,
    isFlood: messages.isFlood,
    endOfData: () => {
      messages.end()
      remote.within(settings.holdTimeout)
      send({ type: 'bodyEnded' })
    },
    leave: (stopping) => send({ type: stopping ? 'stopped' : 'left' }),
  }
  shared.running.add(proxy)
  return proxy
}
