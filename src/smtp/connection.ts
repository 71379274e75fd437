import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { SMTPServer } from 'smtp-server'
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js'
import type { smtpSession } from '../../actors/smtpSession.ts'
import type { ReceiveInput, SmtpEffect, SmtpEvent } from '../../actors/smtpSetup.ts'
import { readyOrOver, startSession } from '../../actors/session.ts'
import { smtpNotation } from '../../actors/smtpNotation.ts'
import { smtpReply } from '../../actors/smtpReplies.ts'
import { startTranscript, type Transcript } from '../../actors/transcript.ts'
import { GatewayError } from '../core/errors.ts'
import type { PeerProtocol, SessionOutcome, TlsFacts } from '../core/events.ts'
import { type MessageId, newSessionId } from '../core/ids.ts'
import type { RecordedSession } from '../sessions.ts'
import { type CommandEvent, eventOf } from './commandEvents.ts'
import { type Command, parseCommandLine } from './commandLine.ts'
import { formatReply } from './formatReply.ts'
import { SmtpInput } from './input.ts'
import { type Intake, openIntake } from './intake.ts'
import { receiveMessage } from './receive.ts'
import type { Mailbox } from './recipient.ts'
import { keptOf, silence } from './said.ts'
import type { SmtpShared } from './shared.ts'

type Accepted = { readonly protocol: PeerProtocol; readonly socketOptions: SMTPConnectionOptions | null | undefined }

const nothing = () => {}

/**
 * One connection of a journal sender. `smtp-server` keeps the socket: TLS, idle time, closing. Everything that the peer
 * says becomes an event of the `smtpSession` machine, and every reply comes from there.
 */
export class JournalConnection extends SMTPConnection {
  readonly sessionId = newSessionId()
  /** Resolves when the socket is closed. */
  readonly gone: Promise<undefined>
  readonly #shared: SmtpShared
  readonly #protocol: PeerProtocol
  readonly #leave: (value: undefined) => void
  #session: ReturnType<typeof startSession<typeof smtpSession>> | undefined
  #transcript: Transcript | undefined
  #said = silence
  #command: Command | undefined
  #mailbox: Mailbox | undefined
  #intake: Intake | undefined
  #recorded: RecordedSession | undefined
  #outcome: SessionOutcome = 'failed'
  #octetsIn = 0
  #octetsOut = 0
  #unsent = ''

  constructor(server: SMTPServer, socket: Socket, shared: SmtpShared, { protocol, socketOptions }: Accepted) {
    super(server, socket, socketOptions ?? null)
    this.#shared = shared
    this.#protocol = protocol
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.gone = promise
    this.#leave = resolve
  }

  /** The greeting goes out at once: the base class would wait 100 ms for those who talk too soon. */
  override init(): void {
    const { machine, limits, running, open, domain, clock } = this.#shared
    const crowded = running.size >= limits.smtpSessions
    running.set(this.sessionId, this)
    open.add(this)
    this._setListeners(nothing)
    const { sessionId } = this
    const input = {
      sessionId,
      domain,
      secure: this.secure,
      crowded,
      maxSize: limits.messageSize,
      maxRecipients: limits.recipients,
      maxBadCommands: limits.badCommands,
    }
    const now = () => clock.now().getTime()
    const transcript = startTranscript(smtpNotation, { sessionId, input, limit: limits.transcript, now })
    this.#transcript = transcript
    this.#session = startSession(machine, {
      input,
      transcript,
      onEmit: (effect) => this.#perform(effect),
      onDone: () => this.#over(),
      onError: (error) => this.#fail(error),
    })
    this.#flush()
  }

  /** The machine's work: the message that follows DATA. */
  async receive({ smtpUtf8 }: ReceiveInput, signal: AbortSignal): Promise<{ readonly messageId: MessageId }> {
    const { archive, domain, clock, limits } = this.#shared
    const { sessionId, remoteAddress } = this
    const { mailbox, reversePath, recipients } = this.#said
    const input = this.#input()
    const cause = this.#recorded?.cause()
    if (!mailbox || !input || !cause) throw new GatewayError('internal')
    const intake = openIntake(limits.messageSize, () => input.resume())
    const { body } = intake
    signal.addEventListener('abort', () => body.lose())
    this.#intake = intake
    input.startData()
    return receiveMessage({
      archive,
      domain,
      at: clock.now(),
      envelope: { reversePath, recipients, mailbox, smtpUtf8 },
      sender: { ...this.#said, sessionId, remoteAddress, tls: this.#tls(), cause },
      body,
    })
  }

  /** No new transaction; `now`: no more of the one that is open either. */
  shutdown(now: boolean): void {
    this.#send({ type: 'shutdown', now })
    this.#flush()
  }

  destroy(): void {
    this._socket.destroy()
  }

  /** Called by the base class's constructor, before any field of this class exists, and for each TLS upgrade. */
  override _createParser(): SmtpInput {
    return new SmtpInput({
      received: (octets) => (this.#octetsIn += octets),
      line: (line) => this.#onCommand(parseCommandLine(line)),
      lineTooLong: () => this.#onCommand({ verb: 'malformed', problem: 'lineTooLong' }),
      endless: () => this.#send({ type: 'flooded', with: 'line' }),
      content: (pieces) => this.#onContent(pieces),
      endOfData: () => this.#onEndOfData(),
      pause: () => this.#onPause(),
      finished: () => this.#send({ type: 'closed' }),
    })
  }

  override _onTimeout(): void {
    // The socket is closed on our side already, or it is the peer that waits for us.
    if (this._closing) this._socket.destroy()
    else if (this.#waitsForUs()) this._armTimeout()
    else this.#send({ type: 'idle' })
    this.#flush()
  }

  /** Its input is held because we are at work, not because it does not read what we answered. */
  #waitsForUs(): boolean {
    return this.#input()?.held === true && !this._upgrading && !this._socket.writableNeedDrain
  }

  override _onClose(): void {
    super._onClose()
    this.#send({ type: 'closed' })
    this.#shared.open.delete(this)
    this.#leave(undefined)
  }

  /** What ails a socket ends in its `close`, which tells the machine. */
  override _onError(error: Error): void {
    const { logger } = this.#shared
    if (this._upgrading) logger.info({ err: error, remoteAddress: this.remoteAddress }, 'TLS could not be negotiated')
  }

  #input(): SmtpInput | undefined {
    return this._parser instanceof SmtpInput ? this._parser : undefined
  }

  #send(event: SmtpEvent): void {
    if (this.#session?.getSnapshot().status === 'active') this.#session.send(event)
  }

  #onCommand(command: Command): void {
    const { logger } = this.#shared
    const awaitsRecipient = this.#session?.getSnapshot().matches({ open: 'transaction' }) ?? false
    const event = eventOf(command, { recipients: this.#shared, logger, sessionId: this.sessionId, awaitsRecipient })
    if (!(event instanceof Promise)) {
      this.#take(command, event)
      return
    }
    const input = this.#input()
    input?.hold()
    void event.then((known) => {
      this.#take(command, known)
      this.#flush()
      if (input !== undefined && this.#session?.getSnapshot().hasTag('ready') === true) this.#resumeWhenSent(input)
    })
  }

  #take(command: Command, { event, mailbox }: CommandEvent): void {
    this.#command = command
    this.#mailbox = mailbox
    this.#send(event)
    const input = this.#input()
    const ready = this.#session?.getSnapshot().hasTag('ready')
    if (ready !== true && input?.inData === false) this.#holdUntilReady(input)
  }

  #onContent(pieces: readonly Uint8Array[]): boolean {
    const room = this.#intake?.take(pieces) ?? true
    if (this.#intake?.isFlood() === true) this.#send({ type: 'flooded', with: 'message' })
    return room
  }

  #onEndOfData(): void {
    const input = this.#input()
    this.#intake?.body.end()
    this.#intake = undefined
    if (input !== undefined) this.#holdUntilReady(input)
  }

  #holdUntilReady(input: SmtpInput): void {
    const session = this.#session
    if (session === undefined) return
    input.hold()
    void readyOrOver(session).then(() => {
      this.#flush()
      this.#resumeWhenSent(input)
    })
  }

  /** A peer that does not read its replies is not read either. */
  #resumeWhenSent(input: SmtpInput): void {
    const resume = () => input.resume()
    if (this._socket.writableNeedDrain && !this._socket.destroyed) this._socket.once('drain', resume)
    else resume()
  }

  #onPause(): void {
    this.#flush()
    const input = this.#input()
    if (input === undefined || input.held || !this._socket.writableNeedDrain) return
    input.hold()
    this.#resumeWhenSent(input)
  }

  #perform(effect: SmtpEffect): void {
    const { refused, logger } = this.#shared
    switch (effect.type) {
      case 'reply':
        this.#unsent += formatReply(effect)
        return
      case 'refused':
        refused(this.remoteAddress, effect.kind)
        return
      case 'helloAccepted':
      case 'mailAccepted':
      case 'recipientAccepted':
        this.#keep()
        return
      case 'startTls':
        this.#flush()
        // Or a peer that leaves in the middle of the handshake would go unnoticed.
        this._socket.allowHalfOpen = false
        this.upgrade(nothing, () => this.#send({ type: 'secured' }))
        return
      case 'failed':
        logger.warn({ err: effect.error, sessionId: this.sessionId }, 'a message was not received')
        return
      case 'ended':
        this.#outcome = effect.outcome
    }
  }

  #keep(): void {
    if (this.#command !== undefined) this.#said = keptOf(this.#said, this.#command, this.#mailbox)
    if (this.#command?.verb === 'rcpt') this.#introduce()
  }

  /** With its first accepted recipient a session matters, and is recorded. */
  #introduce(): void {
    if (this.#recorded !== undefined) return
    const { sessionId, remoteAddress } = this
    const peer = { sessionId, protocol: this.#protocol, remoteAddress, tls: this.#tls() }
    this.#recorded = this.#shared.sessions.opened(peer)
  }

  #tls(): TlsFacts {
    if (!(this._socket instanceof TLSSocket)) return null
    return { version: this._socket.getProtocol() ?? 'unknown', cipher: this._socket.getCipher().name }
  }

  #flush(): void {
    const text = this.#unsent
    this.#unsent = ''
    // During a handshake the socket is the raw one: what is written there would be in clear, amid TLS records.
    if (text === '' || this._upgrading || !this._socket.writable) return
    this.#octetsOut += Buffer.byteLength(text)
    this._socket.write(text)
  }

  #over(): void {
    this.#flush()
    this.#shared.running.delete(this.sessionId)
    this.close()
    const transcript = this.#transcript?.text() ?? ''
    const end = { outcome: this.#outcome, octetsIn: this.#octetsIn, octetsOut: this.#octetsOut, transcript }
    this.#recorded?.closed(end)
  }

  #fail(error: unknown): void {
    this.#shared.logger.error({ err: error, sessionId: this.sessionId }, 'an SMTP session failed')
    this.#unsent += formatReply(smtpReply('internal'))
    this.#over()
  }
}
