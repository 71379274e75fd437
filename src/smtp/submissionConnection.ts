import type { Socket } from 'node:net'
import type { SMTPServer } from 'smtp-server'
import { type Extensions, noExtensions } from '../../actors/proxiedSmtp.ts'
import { type RunningSession, runSession } from '../../actors/runSession.ts'
import { submissionNotation } from '../../actors/submissionNotation.ts'
import { submissionSession } from '../../actors/submissionSession.ts'
import type { SubmissionEffect, SubmissionEvent } from '../../actors/submissionSetup.ts'
import { asGatewayError } from '../core/errors.ts'
import type { MessageId } from '../core/ids.ts'
import { octetsOf, responseOf } from '../proxy/sasl.ts'
import type { SmtpClient, SmtpProxies, SmtpProxy } from '../proxy/smtpProxy.ts'
import type { RemoteReply } from '../proxy/smtpReply.ts'
import { type Accepted, PeerConnection, type PeerShared, type SessionStart } from './peerConnection.ts'
import { keptOf, silence } from './said.ts'
import {
  lineFor,
  maxSubmittedLine,
  parseSubmittedLine,
  type SubmittedCommand,
  submittedEvent,
} from './submittedCommand.ts'
import { submittedLogin } from './submittedLogin.ts'
import { submissionTraceHeader } from './trace.ts'

/** What all connections of mail clients share. */
export type SubmissionShared = PeerShared & { readonly proxies: SmtpProxies }

/** Recipients of one message: more than any provider takes, whose own limit is what the client is told. */
const maxRecipients = 10_000

/** One connection of a mail client that sends through the proxy, driven by the `submissionSession` machine. */
export class SubmissionConnection extends PeerConnection {
  readonly #shared: SubmissionShared
  readonly #leaving = new AbortController()
  readonly #login = submittedLogin()
  #session: RunningSession<SubmissionEvent> | undefined
  #proxy: SmtpProxy | undefined
  #said = silence
  #command: SubmittedCommand | undefined
  #extensions = noExtensions
  /** The remote server's last. */
  #reply: RemoteReply | undefined
  /** The client's line while it answers a challenge. */
  #response = ''
  /** What the machine is told when the client's message has come to its end. */
  #waiting: (() => void)[] = []

  constructor(server: SMTPServer, socket: Socket, shared: SubmissionShared, accepted: Accepted) {
    super(server, socket, shared, accepted)
    this.#shared = shared
  }

  protected override get maxLine(): number {
    return maxSubmittedLine
  }

  protected override begin({ input, ...start }: SessionStart): RunningSession<SubmissionEvent> {
    this.#session = runSession(submissionNotation, {
      ...start,
      machine: submissionSession,
      input: { ...input, maxRecipients },
      onEmit: (effect) => this.#perform(effect),
    })
    return this.#session
  }

  protected override get amidMessage(): boolean {
    return this.input?.inData === true
  }

  protected override onLine(line: Buffer): void {
    if (this.#session?.is('response') === true) this.#onResponse(line)
    else this.#onCommand(line)
  }

  protected override onLineTooLong(): void {
    this.#tell({ type: 'malformed', problem: 'lineTooLong' })
  }

  #onCommand(line: Buffer): void {
    const command = parseSubmittedLine(line)
    this.#command = command
    if (command.verb !== 'auth')
      this.#tell(submittedEvent(command, (size) => this.#shared.putOff(this.remoteAddress, size)))
    // In clear it is not even read.
    else this.#tell({ type: 'auth', found: this.secure ? this.#login.auth(line) : 'unread' })
  }

  #onResponse(line: Buffer): void {
    if (this.#session?.state() !== 'answering') {
      this.#tell({ type: 'response', found: this.#login.response(line) })
      return
    }
    this.#response = responseOf(line)
    this.#tell({ type: 'response', found: this.#response === '*' ? 'cancelled' : 'given' })
  }

  #tell(event: SubmissionEvent): void {
    this.#session?.send(event)
    this.pace()
  }

  protected override onContent(pieces: readonly Uint8Array[]): boolean {
    const room = this.#proxy?.take(pieces) ?? true
    if (this.#proxy?.isFlood() === true) this.#session?.send({ type: 'flooded', with: 'message' })
    return room
  }

  protected override onEndOfContent(): void {
    this.#proxy?.endOfData()
    for (const tell of this.#waiting.splice(0)) tell()
  }

  protected override onOver(): void {
    this.#leaving.abort()
    this.#proxy?.leave(false)
  }

  override shutdown(now: boolean): void {
    super.shutdown(now)
    if (now) this.#proxy?.leave(true)
  }

  #perform(effect: SubmissionEffect): void {
    switch (effect.type) {
      case 'helloAccepted':
      case 'mailAccepted':
      case 'recipientAccepted':
        if (this.#command !== undefined) this.#said = keptOf(this.#said, this.#command, undefined)
        return
      case 'pass':
        if (this.#reply !== undefined) this.say(this.#reply.octets)
        return
      case 'connect':
        void this.#connect()
        return
      case 'respond':
        this.#proxy?.answer(this.#response)
        return
      case 'ask':
        this.#proxy?.ask(effect.verb, this.#lineToAsk())
        return
      case 'takeData':
        this.#takeData()
        return
      case 'failed':
        // Not its text: that names what the client has typed.
        this.#shared.logger.info(
          { code: asGatewayError(effect.error).code, sessionId: this.sessionId },
          'A mail client was not served',
        )
        return
      default:
        this.do(effect)
    }
  }

  #takeData(): void {
    const { input } = this
    input?.startData()
    this.flush()
    if (input !== undefined) this.resumeWhenSent(input)
  }

  #lineToAsk(): string {
    return this.#command === undefined ? '' : octetsOf(lineFor(this.#command, this.#extensions))
  }

  async #connect(): Promise<void> {
    const credentials = this.#login.take()
    if (credentials === undefined) return
    const { signal } = this.#leaving
    try {
      const proxy = await this.#shared.proxies.open(this.#client(), credentials, signal)
      this.#proxy = proxy
      if (signal.aborted) proxy.leave(false)
    } catch (error) {
      this.#session?.send({ type: 'failed', error: asGatewayError(error) })
    }
  }

  /** As the proxy connection knows it. */
  #client(): SmtpClient {
    const { sessionId, remoteAddress } = this
    return {
      sessionId,
      remoteAddress,
      tls: () => this.tlsFacts(),
      loggedIn: (mailboxId) => {
        const recorded = this.introduce()
        recorded.happened({ type: 'LoginAccepted', data: { mailboxId, tls: this.tlsFacts() } })
        return recorded.cause()
      },
      replied: (reply, welcome) => this.#afterContent(() => this.#onReply(reply, welcome)),
      failed: (error) => this.#afterContent(() => this.#session?.send({ type: 'failed', error })),
      lost: () => this.#afterContent(() => this.#session?.send({ type: 'remoteLost' })),
      room: () => {
        if (this.input?.inData === true) this.input.resume()
      },
      trace: (messageId) => this.#trace(messageId),
    }
  }

  /** Nobody hears an answer while he still sends. */
  #afterContent(tell: () => void): void {
    if (this.input?.inData === true) this.#waiting.push(tell)
    else tell()
  }

  #onReply(reply: RemoteReply, welcome: Extensions | undefined): void {
    const { code } = reply
    this.#reply = reply
    if (welcome === undefined) {
      this.#session?.send({ type: 'remote', code })
      return
    }
    this.#extensions = welcome
    this.#session?.send({ type: 'welcomed', code, extensions: welcome })
  }

  #trace(messageId: MessageId): Uint8Array {
    const { domain, clock } = this.#shared
    const { sessionId, remoteAddress } = this
    const passage = { messageId, sessionId, remoteAddress, domain, tls: this.tlsFacts(), at: clock.now() }
    return submissionTraceHeader({ ...this.#said, ...passage })
  }
}
