import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { OpenedMaildrop, Pop3Event } from '../../actors/pop3Replies.ts'
import { pop3Notation } from '../../actors/pop3Notation.ts'
import type { pop3Session } from '../../actors/pop3Session.ts'
import type {
  Fetched,
  ListingWork,
  MessageWork,
  Pop3Emitted,
  ProxiedWork,
  Relayed,
  UpdateWork,
} from '../../actors/pop3Setup.ts'
import type { RemoteStatus } from '../../actors/proxied.ts'
import { readyOrOver, startSession } from '../../actors/session.ts'
import { startTranscript, type Transcript } from '../../actors/transcript.ts'
import type { Limits } from '../config.ts'
import { asGatewayError, type ErrorCode, GatewayError } from '../core/errors.ts'
import type { SessionOutcome, TlsFacts } from '../core/events.ts'
import { type MailboxId, newSessionId } from '../core/ids.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Maildrops } from '../maildrop.ts'
import type { Pop3Proxies } from '../proxy/pop3Proxy.ts'
import type { RecordedSession, SessionRecorder } from '../sessions.ts'
import { channelOf } from '../wire/channel.ts'
import type { ServerTls } from '../wire/serveTls.ts'
import { turnTime } from '../wire/turn.ts'
import { eventOf } from './commandEvents.ts'
import { commandQueue } from './commandQueue.ts'
import { holdCredentials } from './credentials.ts'
import { openElsewhere } from './elsewhere.ts'
import { type HeldMaildrop, holdMaildrop } from './heldMaildrop.ts'

/** What a connection needs of the gateway. */
export type ConnectionDeps = {
  readonly domain: string
  readonly limits: Pick<Limits, 'pop3Idle' | 'tlsHandshake' | 'slowestRate' | 'badCommands' | 'transcript'>
  readonly secured: () => ServerTls
  readonly maildrops: Maildrops
  /** Undefined while no other server may be reached. */
  readonly proxies: Pop3Proxies | undefined
  readonly sessions: SessionRecorder
  /** Counts a refusal: `kind` is a word of the program's. */
  readonly refused: (source: string, kind: string) => void
  readonly logger: Logger
  readonly clock: Clock
  /** The machine, with its work provided. */
  readonly machine: typeof pop3Session
  /** The connection is over, its maildrop given back, its socket closed. */
  readonly onGone: (session: string) => void
}

/** A session's work, as its machine invokes it, and its end from outside. */
export type Connection = {
  readonly session: string
  upgrade(): Promise<void>
  unlock(): Promise<OpenedMaildrop>
  enumerate(work: ListingWork, signal: AbortSignal): Promise<void>
  fetch(work: MessageWork, signal: AbortSignal): Promise<Fetched>
  send(work: MessageWork, signal: AbortSignal): Promise<void>
  update(work: UpdateWork): Promise<void>
  connect(): Promise<RemoteStatus>
  answer(): Promise<RemoteStatus>
  relay(work: ProxiedWork): Promise<Relayed>
  passOn(): Promise<void>
  /** Begins the conversation, on pop3s with the handshake. */
  start(): void
  /** Takes no further command; what runs may finish. */
  drain(): void
  /** Closes at once. A commit of deletions that has begun is still waited for before the maildrop is given back. */
  destroy(): void
}

/** Failures that the use case has recorded itself, or that the peer caused by leaving. */
const expected: readonly ErrorCode[] = [
  'password-wrong',
  'too-many-attempts',
  'maildrop-in-use',
  'overloaded',
  'connection-lost',
]

/** The shell around one `pop3Session`: carries lines in, replies and messages out, and does the work. */
export const connectionOf = (deps: ConnectionDeps, socket: Socket, protocol: 'pop3' | 'pop3s'): Connection => {
  const sessionId = newSessionId()
  let tls: TlsFacts = null
  let actor: ReturnType<typeof startSession<typeof pop3Session>> | undefined
  let held: HeldMaildrop | undefined
  let transcript: Transcript | undefined
  let recorded: RecordedSession | undefined
  let [over, closed, draining, upgrading] = [false, false, false, false]

  const { pop3Idle, tlsHandshake, slowestRate } = deps.limits
  const channel = channelOf(
    socket,
    { turn: pop3Idle, handshake: tlsHandshake, slowestRate },
    {
      arrived: () => lookAhead(),
      // Nobody half-closes TLS and waits: work for a peer that has left is to stop at once. Without TLS no work is lost.
      ended: () => {
        if (tls) leave('lost')
        if (tls && over) channel.destroy()
      },
      working: () => !isReady(),
      late: () => {
        if (channel.unread()) deps.refused(channel.remoteAddress, 'too-slow')
        leave('timeout')
      },
      closed: () => {
        closed = true
        leave('lost')
        if (over || !actor) deps.onGone(sessionId)
      },
    },
  )
  const queue = commandQueue(channel, deps.proxies !== undefined)
  const credentials = holdCredentials(() => tls !== null, deps.proxies !== undefined)
  const elsewhere = openElsewhere(deps.proxies, {
    sessionId,
    remoteAddress: channel.remoteAddress,
    write: (octets) => channel.write(octets),
    drained: () => channel.drained(),
    loggedIn: (mailboxId) => opened(mailboxId).cause(),
    gone: () => {
      if (actor?.getSnapshot().hasTag('remote')) actor.send({ type: 'remoteLost' })
    },
  })
  const refOf = (number: number) => held?.refOf(number)

  const isReady = () => actor?.getSnapshot().hasTag('ready') ?? false
  const leave = (outcome: SessionOutcome) => actor?.send({ type: 'closed', outcome })

  const lookAhead = () => {
    const snapshot = actor?.getSnapshot()
    if (held && snapshot?.hasTag('maildrop')) held.prepare(queue.retrsAhead(), snapshot.context.deletions)
  }

  /** Only now: who guesses, or types nonsense, does not make the log grow. */
  const opened = (mailboxId: MailboxId) => {
    recorded = deps.sessions.opened({ sessionId, protocol, remoteAddress: channel.remoteAddress, tls })
    recorded.happened({ type: 'LoginAccepted', data: { mailboxId, tls } })
    return recorded
  }

  const nextEvent = (): Pop3Event | undefined => {
    const snapshot = actor?.getSnapshot()
    if (snapshot?.hasTag('remote')) return elsewhere.next(queue, snapshot.hasTag('response'))
    if (snapshot?.hasTag('response')) {
      const line = queue.response()
      if (line === 'too-long') return { type: 'oversized' }
      return line && { type: 'response', found: credentials.response(line) }
    }
    lookAhead()
    const command = queue.next()
    return command && eventOf(command, { credentials, refOf })
  }

  /** One command at a time: the next is not looked at until the last one has been answered. */
  const converse = async (session: NonNullable<typeof actor>) => {
    let heard = true
    let began = performance.now()
    while (await readyOrOver(session)) {
      if (draining) return leave('shutdown')
      if (performance.now() - began > turnTime) {
        await nextTurn()
        began = performance.now()
      }
      await channel.drained()
      if (heard) channel.yourTurn()
      heard = false
      const event = nextEvent()
      if (event) {
        session.send(event)
        heard = true
      } else if (channel.ended()) return leave('lost')
      else {
        await channel.arrival()
        began = performance.now()
      }
    }
  }

  const finish = (outcome: SessionOutcome) => {
    if (over) return
    over = true
    held?.release()
    elsewhere.close(outcome)
    recorded?.closed({ outcome, ...channel.octets(), transcript: transcript?.text() ?? '' })
    // RFC 1939 §3: without a response.
    if (outcome === 'timeout') channel.destroy()
    else channel.end()
    if (closed) deps.onGone(sessionId)
  }

  const log = (error: GatewayError) => {
    if (expected.includes(error.code) || error.code.startsWith('proxy-')) return
    const fields = { err: error.cause ?? error, code: error.code, sessionId, protocol }
    deps.logger.warn(fields, 'A POP3 session could not do its work')
  }

  const onEmit = (emitted: Pop3Emitted) => {
    if (emitted.type === 'reply') channel.write(`${emitted.lines.join('\r\n')}\r\n`)
    else if (emitted.type === 'deliver') heldNow(held).deliver(emitted.lines)
    else if (emitted.type === 'failed') log(emitted.error)
    else if (emitted.type === 'pass') elsewhere.pass()
    else if (emitted.type === 'end') elsewhere.end()
    else if (emitted.type === 'refused') deps.refused(channel.remoteAddress, emitted.kind)
    else channel.destroy()
  }

  const defect = (error: unknown) => {
    deps.logger.error({ err: error, sessionId, protocol }, 'A POP3 session ended by a defect')
    channel.destroy()
    finish('failed')
  }

  const begin = () => {
    const { domain, limits, clock } = deps
    const input = {
      session: sessionId,
      domain,
      secure: tls !== null,
      proxy: deps.proxies !== undefined,
      badCommands: limits.badCommands,
    }
    const now = () => clock.now().getTime()
    transcript = startTranscript(pop3Notation, { sessionId, input, limit: limits.transcript, now })
    const session = startSession(deps.machine, {
      input,
      transcript,
      onEmit,
      onDone: () => finish(session.getSnapshot().context.outcome),
      onError: defect,
    })
    actor = session
    converse(session).catch((error: unknown) => {
      if (asGatewayError(error).code === 'connection-lost') leave('lost')
      else defect(error)
    })
  }
  const upgrade = async () => {
    upgrading = true
    tls = await channel.secure(deps.secured())
    upgrading = false
  }
  const handshake = () =>
    upgrade().then(begin, (error: unknown) => {
      log(asGatewayError(error))
      deps.refused(channel.remoteAddress, 'tls-handshake')
      channel.destroy()
    })

  return {
    session: sessionId,
    upgrade,
    unlock: async () => {
      const login = { sessionId, remoteAddress: channel.remoteAddress, tls, ...credentials.take() }
      const maildrop = await deps.maildrops.open(login)
      if (over) {
        deps.maildrops.release(maildrop)
        throw new GatewayError('connection-lost')
      }
      held = holdMaildrop(deps.maildrops, { ...maildrop, cause: opened(maildrop.mailboxId).cause() }, channel)
      return { ...held.size, shut: maildrop.shut, damaged: maildrop.damaged }
    },
    enumerate: (work, signal) => heldNow(held).enumerate(work, signal),
    fetch: (work, signal) => heldNow(held).fetch(work, signal),
    send: (work, signal) => heldNow(held).send(work, signal),
    update: ({ deletions }) => heldNow(held).update(deletions),
    connect: () => elsewhere.connect(credentials.takeProxied()),
    answer: () => elsewhere.answer(),
    relay: ({ asked }) => elsewhere.relay(asked),
    passOn: () => elsewhere.passOn(),
    start: () => (protocol === 'pop3s' ? void handshake() : begin()),
    drain: () => {
      draining = true
      // Within a handshake nothing is under way, and nothing can be said.
      if (!actor || upgrading) channel.destroy()
      else if (isReady()) leave('shutdown')
    },
    destroy: () => {
      leave('shutdown')
      channel.destroy()
    },
  }
}

/** The machine invokes this work only in states that follow `unlock`. */
const heldNow = (held: HeldMaildrop | undefined): HeldMaildrop => {
  if (!held) throw new GatewayError('internal')
  return held
}
