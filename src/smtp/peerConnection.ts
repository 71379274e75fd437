import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { SMTPServer } from 'smtp-server'
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js'
import type { RunningSession } from '../../actors/runSession.ts'
import { type SmtpReply, smtpReply } from '../../actors/smtpReplies.ts'
import type { Limits } from '../config.ts'
import type { PeerProtocol, SessionOutcome, TlsFacts } from '../core/events.ts'
import { newSessionId, type SessionId } from '../core/ids.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { PutOff } from '../core/putOff.ts'
import type { RecordedSession, SessionRecorder } from '../sessions.ts'
import { oneHandshake } from '../wire/oneHandshake.ts'
import { type Patience, startPatience } from '../wire/patience.ts'
import { formatReply } from './formatReply.ts'
import { type InputHandlers, SmtpInput } from './input.ts'

export type SmtpLimits = Pick<
  Limits,
  | 'messageSize'
  | 'recipients'
  | 'smtpSessions'
  | 'sessionsPerClient'
  | 'smtpIdle'
  | 'tlsHandshake'
  | 'slowestRate'
  | 'badCommands'
  | 'idleCommands'
  | 'transcript'
>

/** What all connections of either kind share. */
export type PeerShared = {
  /** The gateway's own name. */
  readonly domain: string
  readonly sessions: SessionRecorder
  /** Counts a refusal by the peer's address. */
  readonly refused: (source: string, kind: string) => void
  readonly limits: SmtpLimits
  /** As `Pressure`. */
  readonly putOff: (remoteAddress: string, size: number) => PutOff | undefined
  readonly logger: Logger
  readonly clock: Clock
  /** Sessions that are not over. */
  readonly running: Map<SessionId, PeerConnection>
  /** Connections whose socket is not closed; sessions that are over are among them. */
  readonly open: Set<PeerConnection>
}

export type Accepted = {
  readonly protocol: PeerProtocol
  readonly socketOptions: SMTPConnectionOptions | null | undefined
  /** Gives its place among the sessions back (idempotent); undefined when there was none for it. */
  readonly leave: (() => void) | undefined
}

/** What any session's machine is told by its connection. */
export type PeerEvent =
  | { readonly type: 'secured' | 'idle' | 'closed' }
  | { readonly type: 'flooded'; readonly with: 'line' | 'message' }
  | { readonly type: 'shutdown'; readonly now: boolean }

/** What any session's machine wants of its connection. */
export type PeerEffect =
  | ({ readonly type: 'reply' } & SmtpReply)
  | { readonly type: 'refused'; readonly kind: string }
  | { readonly type: 'startTls' }
  | { readonly type: 'failed'; readonly error: unknown }
  | { readonly type: 'ended'; readonly outcome: SessionOutcome }

/** For the machine that drives a connection. */
export type SessionStart = {
  readonly sessionId: SessionId
  readonly input: {
    readonly domain: string
    readonly secure: boolean
    readonly crowded: boolean
    readonly maxSize: number
    readonly maxBadCommands: number
    readonly maxIdleCommands: number
  }
  readonly limit: number
  readonly now: () => number
  readonly onDone: () => void
  readonly onError: (error: unknown) => void
}

const nothing = () => {}
/** Milliseconds that a peer has to hear that there is no place for it. */
const turningAway = 1_000

/**
 * One connection of a peer. `smtp-server` keeps the socket: TLS, closing. Everything that the peer says becomes an
 * event of the session's machine, and every reply comes from there.
 */
export abstract class PeerConnection extends SMTPConnection {
  readonly sessionId = newSessionId()
  /** Resolves when the socket is closed. */
  readonly gone: Promise<undefined>
  readonly #peers: PeerShared
  readonly #protocol: PeerProtocol
  readonly #onGone: (value: undefined) => void
  readonly #leave: (() => void) | undefined
  #patience: Patience | undefined
  #session: RunningSession<PeerEvent> | undefined
  #recorded: RecordedSession | undefined
  #outcome: SessionOutcome = 'failed'
  #octetsIn = 0
  #octetsOut = 0
  /** Of messages. */
  #content = 0
  /** Of those that came in before it was the peer's turn. */
  #octetsAtTurn = 0
  #unsent: Uint8Array[] = []
  /** For the machine to be ready. */
  #waits = false

  constructor(server: SMTPServer, socket: Socket, shared: PeerShared, { protocol, socketOptions, leave }: Accepted) {
    super(server, socket, socketOptions ?? null)
    this.#peers = shared
    this.#protocol = protocol
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.gone = promise
    this.#onGone = resolve
    this.#leave = leave
  }

  /** Octets of a line without its CRLF. */
  protected abstract get maxLine(): number
  /** Starts the machine. */
  protected abstract begin(start: SessionStart): RunningSession<PeerEvent>
  protected abstract onLine(line: Buffer): void
  protected abstract onLineTooLong(): void
  /** The content of a message. Whether more may follow at once; else `input.resume` is called later. */
  protected abstract onContent(pieces: readonly Uint8Array[]): boolean
  /** The end of a message or of a chunk of it. */
  protected abstract onEndOfContent(): void
  /** A message has begun and is not at its end, whatever comes in between. */
  protected abstract get amidMessage(): boolean
  /** The session is over; its connection closes. */
  protected abstract onOver(): void

  /** The greeting goes out at once: the base class would wait 100 ms for those who talk too soon. */
  override init(): void {
    const { limits, running, open, domain, clock } = this.#peers
    running.set(this.sessionId, this)
    open.add(this)
    this._setListeners(nothing)
    this.#patience = startPatience({
      seconds: limits.smtpIdle,
      rate: limits.slowestRate,
      content: () => this.#content,
      isOurs: () => this.#waitsForUs(),
      held: () => this.input?.heldFor ?? 0,
      onLost: () => this.#onLost(),
    })
    this.#session = this.begin({
      sessionId: this.sessionId,
      input: {
        domain,
        secure: this.secure,
        crowded: this.#leave === undefined,
        maxSize: limits.messageSize,
        maxBadCommands: limits.badCommands,
        maxIdleCommands: limits.idleCommands,
      },
      limit: limits.transcript,
      now: () => clock.now().getTime(),
      onDone: () => this.#over(),
      onError: (error) => this.#fail(error),
    })
    this.flush()
  }

  /** No new transaction; `now`: no more of the one that is open either. */
  shutdown(now: boolean): void {
    this.#session?.send({ type: 'shutdown', now })
    this.flush()
    // Within a handshake nothing is under way, and nothing can be said.
    if (this._upgrading) this.destroy()
  }

  destroy(): void {
    this._socket.destroy()
  }

  /** Called by the base class's constructor, before any field of this class exists, and for each TLS upgrade. */
  override _createParser(): SmtpInput {
    const handlers: InputHandlers = {
      received: (octets) => (this.#octetsIn += octets),
      line: (line) => {
        this.#renewBetweenMessages()
        this.onLine(line)
      },
      lineTooLong: () => this.onLineTooLong(),
      endless: () => this.#session?.send({ type: 'flooded', with: 'line' }),
      content: (pieces) => {
        for (const { length } of pieces) this.#content += length
        return this.onContent(pieces)
      },
      endOfData: () => this.endOfContent(),
      pause: () => this.#onPause(),
      resumed: () => this.#renewBetweenMessages(),
      finished: () => this.#session?.send({ type: 'closed' }),
    }
    return new SmtpInput(handlers, this.maxLine)
  }

  /** The base class's idle time, which any octet would prolong: see `Patience`. */
  override _armTimeout(): void {
    // Nothing is armed.
  }

  #onLost(): void {
    if (this._upgrading) this.#peers.refused(this.remoteAddress, 'tls-handshake')
    else if (this.#octetsIn > this.#octetsAtTurn) this.#peers.refused(this.remoteAddress, 'too-slow')
    this.#session?.send({ type: 'idle' })
    this.flush()
  }

  #renew(seconds?: number): void {
    this.#octetsAtTurn = this.#octetsIn
    this.#patience?.renew(seconds)
  }

  /** Within a message its content alone counts: commands between chunks prolong nothing. */
  #renewBetweenMessages(): void {
    if (!this.amidMessage) this.#renew()
  }

  /** Its input is held because we are at work, not because it does not read what we answered. */
  #waitsForUs(): boolean {
    return this.input?.held === true && !this._upgrading && !this._socket.writableNeedDrain
  }

  override _onClose(): void {
    super._onClose()
    this.#session?.send({ type: 'closed' })
    this.#peers.open.delete(this)
    this.#onGone(undefined)
  }

  /** What ails a socket ends in its `close`, which tells the machine. */
  override _onError(error: Error): void {
    const { logger } = this.#peers
    if (this._upgrading) logger.info({ err: error, remoteAddress: this.remoteAddress }, 'TLS could not be negotiated')
  }

  protected get input(): SmtpInput | undefined {
    return this._parser instanceof SmtpInput ? this._parser : undefined
  }

  /** After the machine was told a command: the next one waits until the machine takes it. */
  protected pace(): void {
    const { input } = this
    if (this.#session?.is('ready') !== true && input?.inData === false) this.#holdUntilReady(input)
  }

  /** The handshake is over. */
  protected onSecured(): void {
    this.#session?.send({ type: 'secured' })
  }

  protected endOfContent(): void {
    this.onEndOfContent()
    this.#renewBetweenMessages()
    this.pace()
  }

  #holdUntilReady(input: SmtpInput): void {
    const session = this.#session
    if (session === undefined) return
    input.hold()
    // Resumed twice, it would hand on a command amid the one before.
    if (this.#waits) return
    this.#waits = true
    void session.readyOrOver().then(() => {
      this.#waits = false
      this.flush()
      this.resumeWhenSent(input)
    })
  }

  /** A peer that does not read its replies is not read either. */
  protected resumeWhenSent(input: SmtpInput): void {
    const resume = () => input.resume()
    if (this._socket.writableNeedDrain && !this._socket.destroyed) this._socket.once('drain', resume)
    else resume()
  }

  #onPause(): void {
    this.flush()
    const { input } = this
    if (input === undefined || input.held || !this._socket.writableNeedDrain) return
    input.hold()
    this.resumeWhenSent(input)
  }

  protected do(effect: PeerEffect): void {
    const { refused, logger } = this.#peers
    switch (effect.type) {
      case 'reply':
        this.say(formatReply(effect))
        return
      case 'refused':
        refused(this.remoteAddress, effect.kind)
        return
      case 'startTls':
        this.flush()
        // Who has ended his side takes no part in a handshake, and one that leaves in the middle of it would go unnoticed.
        if (this._socket.readableEnded) {
          this.destroy()
          return
        }
        this._socket.allowHalfOpen = false
        this.upgrade(nothing, () => {
          if (this._socket instanceof TLSSocket) oneHandshake(this._socket)
          this.#renew()
          this.onSecured()
        })
        this.#renew(this.#peers.limits.tlsHandshake)
        return
      case 'failed':
        logger.warn({ err: effect.error, sessionId: this.sessionId }, 'a message was not received')
        return
      case 'ended':
        this.#outcome = effect.outcome
    }
  }

  /** Says it with the next `flush`. */
  protected say(reply: Uint8Array | string): void {
    this.#unsent.push(typeof reply === 'string' ? Buffer.from(reply) : reply)
  }

  /** From now on the session matters, and is recorded. */
  protected introduce(): RecordedSession {
    const { sessionId, remoteAddress } = this
    const peer = { sessionId, protocol: this.#protocol, remoteAddress, tls: this.tlsFacts() }
    return (this.#recorded ??= this.#peers.sessions.opened(peer))
  }

  protected get recorded(): RecordedSession | undefined {
    return this.#recorded
  }

  protected tlsFacts(): TlsFacts {
    if (!(this._socket instanceof TLSSocket)) return null
    return { version: this._socket.getProtocol() ?? 'unknown', cipher: this._socket.getCipher().name }
  }

  protected flush(): void {
    if (this.#unsent.length === 0) return
    const octets = Buffer.concat(this.#unsent)
    this.#unsent = []
    // During a handshake the socket is the raw one: what is written there would be in clear, amid TLS records.
    if (this._upgrading || !this._socket.writable) return
    this.#octetsOut += octets.length
    this._socket.write(octets)
  }

  #over(): void {
    this.flush()
    this.#peers.running.delete(this.sessionId)
    this.#patience?.end()
    // Of a socket that is closed already, the base class would wait for the close, and hold the connection meanwhile.
    if (!this._closed) this.close()
    if (this.#leave === undefined) setTimeout(() => this.destroy(), turningAway).unref()
    else this.#leave()
    this.onOver()
    const transcript = this.#session?.transcript() ?? ''
    const end = { outcome: this.#outcome, octetsIn: this.#octetsIn, octetsOut: this.#octetsOut, transcript }
    this.#recorded?.closed(end)
  }

  #fail(error: unknown): void {
    this.#peers.logger.error({ err: error, sessionId: this.sessionId }, 'an SMTP session failed')
    this.say(formatReply(smtpReply('internal')))
    this.#over()
  }
}
