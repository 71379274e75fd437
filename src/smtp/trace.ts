import { isIPv6 } from 'node:net'
import type { TlsFacts } from '../core/events.ts'
import type { MessageId, SessionId } from '../core/ids.ts'

/** How a message came. */
type Passage = {
  /** What the peer called itself in EHLO or HELO. */
  readonly helloName: string
  readonly remoteAddress: string
  readonly domain: string
  readonly extended: boolean
  readonly smtpUtf8: boolean
  readonly tls: TlsFacts
  readonly messageId: MessageId
  readonly sessionId: SessionId
  readonly at: Date
}

export type Trace = Passage & {
  readonly authenticated: boolean
  /** As typed, without brackets; empty for the null reverse-path. */
  readonly reversePath: string
  /** The mailbox's own address. */
  readonly mailboxAddress: string
  /** The only recipient, as typed; undefined when there were several. */
  readonly recipient: string | undefined
}

export type SubmissionTrace = Passage & {
  readonly reversePath: string
  /** Every recipient that the remote server has accepted, as typed. */
  readonly recipients: readonly string[]
}

/**
 * The header lines of a final delivery (RFC 5321 §4.4), which stand before the received octets. Whatever the peer typed,
 * they are these lines and no others.
 */
export const traceHeader = (trace: Trace): Uint8Array =>
  headerOf([
    `Return-Path: <${oneLine(trace.reversePath)}>`,
    `Delivered-To: ${oneLine(trace.mailboxAddress)}`,
    received(trace, protocol(trace), trace.recipient),
  ])

/** The same for a message that a client sends through the proxy: its envelope, blind copies' recipients too. */
export const submissionTraceHeader = (trace: SubmissionTrace): Uint8Array =>
  headerOf([
    received(trace, trace.smtpUtf8 ? 'UTF8SMTPSA' : 'ESMTPSA', undefined),
    `X-Sealpost-Envelope-From: <${oneLine(trace.reversePath)}>`,
    ...trace.recipients.map((recipient) => `X-Sealpost-Envelope-To: <${oneLine(recipient)}>`),
  ])

const headerOf = (lines: readonly string[]) => Buffer.from(`${lines.join('\r\n')}\r\n`)

const received = (passage: Passage, by: string, recipient: string | undefined) => {
  const { tls } = passage
  const parts = [
    `Received: from ${token(passage.helloName)} (${literal(passage.remoteAddress)})`,
    `by ${token(passage.domain)} with ${by}${tls === null ? '' : ` (${token(tls.version)} ${token(tls.cipher)})`}`,
    `id ${passage.messageId} (session ${passage.sessionId})`,
    ...(recipient === undefined ? [] : [`for <${oneLine(recipient)}>`]),
  ]
  return `${parts.join('\r\n\t')};\r\n\t${dateTime(passage.at)}`
}

/** RFC 5322 §3.3, in UTC. */
const dateTime = (at: Date) => at.toUTCString().replace('GMT', '+0000')

/** RFC 5321 §4.1.3. */
const literal = (address: string) => `[${isIPv6(address) ? 'IPv6:' : ''}${token(address)}]`

/** RFC 3848 and RFC 6531 §4.3. */
const protocol = ({ extended, smtpUtf8, tls, authenticated }: Trace) => {
  // Nobody authenticates himself without TLS.
  const secured = tls === null ? '' : authenticated ? 'SA' : 'S'
  if (smtpUtf8) return `UTF8SMTP${secured}`
  return extended || secured !== '' ? `ESMTP${secured}` : 'SMTP'
}

/** What would end the line, or look like an end, cannot be in it. */
const oneLine = (text: string) => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gv, '?')

/** One word, in which nothing can open or close a comment or stand for another part of the line. */
const token = (text: string) => text.replace(/[^A-Za-z0-9._:%\-\[\]]/gv, '?') || '?'
