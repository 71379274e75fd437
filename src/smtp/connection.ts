import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { SMTPServer } from 'smtp-server'
import { type RunningSession, runSession } from '../../actors/runSession.ts'
import { smtpNotation } from '../../actors/smtpNotation.ts'
import type { ReceiveInput, SmtpEffect, SmtpEvent } from '../../actors/smtpSetup.ts'
import { GatewayError } from '../core/errors.ts'
import type { MessageId, SenderId } from '../core/ids.ts'
import { anySender, demandOf } from '../core/senderPolicy.ts'
import { type Intake, openIntake } from '../wire/intake.ts'
import { type CommandEvent, eventOf, type LineCommand } from './commandEvents.ts'
import { type BdatCommand, type Command, maxCommandLine, parseCommandLine } from './commandLine.ts'
import { type Accepted, PeerConnection, type SessionStart } from './peerConnection.ts'
import { receiveMessage } from './receive.ts'
import type { Mailbox } from './recipient.ts'
import { keptOf, silence } from './said.ts'
import { askedBy, clientCertificate, type KnownPeer, lackOf, shownTo } from './sender.ts'
import type { SmtpShared } from './shared.ts'
import { submittedLogin } from './submittedLogin.ts'

/** A chunk whose octets come in. */
type Chunk = {
  /** What the machine is told when they have come. */
  readonly then: SmtpEvent
  /** Nothing of the message follows them. */
  readonly last: boolean
}

/** One connection of a journal sender, driven by the `smtpSession` machine. */
export class JournalConnection extends PeerConnection {
  readonly #shared: SmtpShared
  #session: RunningSession<SmtpEvent> | undefined
  #said = silence
  #command: Command | undefined
  #mailbox: Mailbox | undefined
  #intake: Intake | undefined
  #chunk: Chunk | undefined
  readonly #login = submittedLogin(['PLAIN', 'LOGIN'])
  #policy = anySender
  #offersAuth = false
  /** Whose token was shown. */
  #sender: SenderId | undefined
  /** As the handshake verified it: what a peer shows later nobody has. */
  #certificate: X509Certificate | undefined

  constructor(server: SMTPServer, socket: Socket, shared: SmtpShared, accepted: Accepted) {
    super(server, socket, shared, accepted)
    this.#shared = shared
  }

  protected override get maxLine(): number {
    return maxCommandLine
  }

  protected override begin({ input, ...start }: SessionStart): RunningSession<SmtpEvent> {
    const { machine, limits, senderPolicy } = this.#shared
    this.#policy = senderPolicy()
    this.#certificate = clientCertificate(this._socket)
    this.#offersAuth = this.#policy.requires.includes('token') || this.#couldBeSender()
    this.#session = runSession(smtpNotation, {
      ...start,
      machine,
      input: {
        ...input,
        sessionId: start.sessionId,
        maxRecipients: limits.recipients,
        offersAuth: this.#offersAuth,
        demand: demandOf(this.#policy),
        shown: this.#shown(),
      },
      onEmit: (effect) => this.#perform(effect),
    })
    return this.#session
  }

  #couldBeSender(): boolean {
    const { senders, logger } = this.#shared
    try {
      return senders.offered()
    } catch (error) {
      logger.error({ err: error, sessionId: this.sessionId }, 'senders could not be looked up')
      return true
    }
  }

  /** Of what the listener asks for. */
  #shown() {
    return shownTo(this.#policy, this.#peer())
  }

  #peer(): KnownPeer {
    const { remoteAddress, secure } = this
    return { remoteAddress, secure, certificate: this.#certificate, sender: this.#sender }
  }

  protected override onSecured(): void {
    this.#certificate = clientCertificate(this._socket)
    const certificate = this.#shown().includes('certificate')
    this.#session?.send({ type: 'secured', ...(certificate && { certificate }) })
  }

  #asked(mailbox: Mailbox) {
    return askedBy(mailbox, this.#peer(), this.#shared.senders)
  }

  /** The whole message is there: what is asked of its sender may be more than it was at RCPT, or his token revoked. */
  #mustTake(addressed: Mailbox): void {
    const { resolve, domain, senderPolicy, refused } = this.#shared
    const { mailboxId } = addressed
    const mailbox = resolve(`${mailboxId}@${domain}`) ?? addressed
    const lack = lackOf(this.#peer(), senderPolicy(), { mailboxId, ...this.#asked(mailbox) })
    if (lack === undefined) return
    refused(this.remoteAddress, `policy-${lack.proof}`)
    throw new GatewayError(lack.refusal === 'permanent' ? 'sender-refused' : 'sender-later')
  }

  /** The machine's work: whose token was given with AUTH. */
  async authenticate(): Promise<{ readonly sender: SenderId }> {
    const { name, password: token } = this.#login.take() ?? {}
    if (name === undefined || !token) throw new GatewayError('internal')
    this.#sender = await this.#shared.senders.authenticate({ name, token, source: this.remoteAddress })
    return { sender: this.#sender }
  }

  /** The machine's work: the message that follows DATA, or comes in chunks. */
  async receive({ smtpUtf8 }: ReceiveInput, signal: AbortSignal): Promise<{ readonly messageId: MessageId }> {
    const { archive, checkSender, domain, clock, limits, flight } = this.#shared
    const { sessionId, remoteAddress, input } = this
    const { mailbox, reversePath, recipients } = this.#said
    const cause = this.recorded?.cause()
    if (!mailbox || !input || !cause) throw new GatewayError('internal')
    const intake = openIntake(limits.messageSize, () => input.resume(), flight)
    const { body } = intake
    this.#intake = intake
    signal.addEventListener('abort', () => {
      if (this.#intake === intake) this.#intake = undefined
      body.lose()
    })
    if (this.#command?.verb === 'data') input.startData()
    return receiveMessage({
      archive,
      domain,
      at: clock.now(),
      envelope: { reversePath, recipients, mailbox, smtpUtf8 },
      sender: { ...this.#said, sessionId, remoteAddress, senderId: this.#sender, tls: this.tlsFacts(), cause },
      body,
      mustTake: () => this.#mustTake(mailbox),
      checkSender,
    })
  }

  protected override get amidMessage(): boolean {
    return this.#intake !== undefined
  }

  protected override onLine(line: Buffer): void {
    if (this.#session?.is('response') === true) {
      this.#session.send({ type: 'response', found: this.#login.response(line) })
      this.pace()
      return
    }
    const command = parseCommandLine(line)
    if (command.verb === 'bdat') this.#onChunk(command)
    // In clear, or where nobody could log in, it is not even read.
    else if (command.verb === 'auth' && this.secure && this.#offersAuth)
      this.#take(command, { event: { type: 'auth', found: this.#login.auth(line) } })
    else this.#onCommand(command)
  }

  protected override onLineTooLong(): void {
    this.#onCommand({ verb: 'malformed', problem: 'lineTooLong' })
  }

  #onCommand(command: LineCommand): void {
    const { logger, putOff } = this.#shared
    const { remoteAddress, sessionId } = this
    const awaitsRecipient = this.#session?.state().startsWith('open.transaction') ?? false
    const event = eventOf(command, {
      recipients: this.#shared,
      logger,
      sessionId,
      awaitsRecipient,
      putOff: (size) => putOff(remoteAddress, size),
      asked: (mailbox) => this.#asked(mailbox),
    })
    if (!(event instanceof Promise)) {
      this.#take(command, event)
      return
    }
    const { input } = this
    input?.hold()
    void event.then((known) => {
      this.#take(command, known)
      this.flush()
      if (input !== undefined && this.#session?.is('ready') === true) this.resumeWhenSent(input)
    })
  }

  #take(command: LineCommand, { event, mailbox }: CommandEvent): void {
    this.#command = command
    this.#mailbox = mailbox
    this.#session?.send(event)
    this.pace()
  }

  /** RFC 3030 §2: whatever becomes of them, the octets of a chunk are read before its answer, and are no commands. */
  #onChunk(command: BdatCommand): void {
    const { input } = this
    const { size, last } = command
    const event = { type: 'bdat', size, last } as const
    const taken = this.#session?.is('chunks') === true
    this.#command = command
    this.#chunk = taken ? { then: { type: 'chunkRead' }, last } : { then: event, last: true }
    if (taken) this.#session?.send(event)
    if (this.#intake === undefined) {
      this.#chunk = { ...this.#chunk, last: true }
      this.#intake = openIntake(this.#shared.limits.messageSize, () => input?.resume())
      this.#intake.body.discard()
    }
    if (size > 0) input?.startChunk(size)
    else this.endOfContent()
  }

  protected override onContent(pieces: readonly Uint8Array[]): boolean {
    const room = this.#intake?.take(pieces) ?? true
    if (this.#intake?.isFlood() === true) this.#session?.send({ type: 'flooded', with: 'message' })
    return room
  }

  protected override onEndOfContent(): void {
    const chunk = this.#chunk
    this.#chunk = undefined
    if (chunk?.last !== false) {
      this.#intake?.body.end()
      this.#intake = undefined
    }
    if (chunk !== undefined) this.#session?.send(chunk.then)
  }

  protected override onOver(): void {
    // The machine's end has aborted its work.
  }

  #perform(effect: SmtpEffect): void {
    switch (effect.type) {
      case 'helloAccepted':
      case 'mailAccepted':
      case 'recipientAccepted':
        this.#keep()
        return
      default:
        this.do(effect)
    }
  }

  #keep(): void {
    if (this.#command !== undefined) this.#said = keptOf(this.#said, this.#command, this.#mailbox)
    // With its first accepted recipient a session matters.
    if (this.#command?.verb === 'rcpt') this.introduce()
  }
}
