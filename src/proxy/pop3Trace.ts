import type { MessageId, SessionId } from '../core/ids.ts'

export type Pop3Trace = {
  readonly messageId: MessageId
  readonly sessionId: SessionId
  /** `name:port`. */
  readonly target: string
  /** The user's name there. */
  readonly user: string
  readonly at: Date
}

/** The one header line that stands before a message which a client has read at its provider, and is sealed with it. */
export const pop3TraceHeader = ({ messageId, sessionId, target, user, at }: Pop3Trace): Uint8Array => {
  const lines = [
    `X-Sealpost-Source: pop3 ${target}`,
    `user ${user.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gv, '?')}`,
    `id ${messageId} (session ${sessionId});`,
    at.toUTCString().replace('GMT', '+0000'),
  ]
  return Buffer.from(`${lines.join('\r\n\t')}\r\n`)
}
