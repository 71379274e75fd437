import { answerTo, asGatewayError, GatewayError } from '../src/core/errors.ts'
import type { SessionOutcome } from '../src/core/events.ts'
import type { MessageId } from '../src/core/ids.ts'
import type { Proxied } from './proxied.ts'

/** A message of the maildrop by what listings say of it. */
export type MessageRef = { readonly number: number; readonly octets: number; readonly messageId: MessageId }

/**
 * What the shell found in the place of credentials. It keeps them itself; `unread` means that it has not looked,
 * because nothing protects the connection yet.
 */
export type CredentialsFound = 'unread' | 'given' | 'proxied' | 'malformed'

/** A peer's command, or what happened to its connection. Carries no name, password or content. */
export type Pop3Event =
  | { readonly type: 'capa' | 'stls' | 'utf8' | 'quit' | 'noop' | 'stat' | 'list' | 'uidl' | 'rset' }
  | { readonly type: 'user' | 'pass'; readonly found: CredentialsFound }
  /** `awaited`: no initial response, the peer waits for the challenge. */
  | { readonly type: 'auth'; readonly found: CredentialsFound | 'awaited' | 'otherMechanism' }
  /** The line after a challenge. */
  | { readonly type: 'response'; readonly found: CredentialsFound | 'cancelled' | 'otherMechanism' }
  /** A command for the remote server. */
  | ({ readonly type: 'proxied' } & Proxied)
  /** The remote server has closed, while nothing was asked of it. */
  | { readonly type: 'remoteLost' }
  /** `message` is undefined when the number names none. */
  | { readonly type: 'listOne' | 'uidlOne' | 'retr' | 'dele'; readonly message: MessageRef | undefined }
  | { readonly type: 'top'; readonly message: MessageRef | undefined; readonly lines: number }
  | { readonly type: 'malformed'; readonly syntax: string }
  | { readonly type: 'unknown' }
  /** A line longer than any command may be. */
  | { readonly type: 'oversized' }
  | { readonly type: 'closed'; readonly outcome: SessionOutcome }

export type MaildropSize = { readonly count: number; readonly octets: number }

/** Messages that there are besides: `shut`, which another password opens, and `damaged`, which nobody can open. */
export type OpenedMaildrop = MaildropSize & { readonly shut?: number; readonly damaged?: number }

export type Refusal = 'bad-command' | 'credentials-without-tls' | 'proxy-not-enabled'

/**
 * RFC 6856. Not where names may lead to another server: whether that one offers it is not known before the login. Not before TLS: it
 * may not be followed by STLS.
 */
export const offersUtf8 = ({ secure, proxy }: { secure: boolean; proxy: boolean }) => secure && !proxy

// RFC 2449 §6; EXPIRE, LOGIN-DELAY, APOP and LANG are not offered.
export const capabilities = ({ secure, proxy }: { secure: boolean; proxy: boolean }): readonly string[] => [
  '+OK Capability list follows',
  'TOP',
  'UIDL',
  'RESP-CODES',
  'AUTH-RESP-CODE',
  'PIPELINING',
  ...(secure ? ['USER', proxy ? 'SASL PLAIN XOAUTH2 OAUTHBEARER' : 'SASL PLAIN'] : ['STLS']),
  ...(offersUtf8({ secure, proxy }) ? ['UTF8 USER'] : []),
  'IMPLEMENTATION Sealpost',
  '.',
]

export const sizeText = ({ count, octets }: MaildropSize) =>
  `+OK ${count} ${count === 1 ? 'message' : 'messages'} (${octets} octets)`

export const openedText = ({ shut = 0, damaged = 0, ...size }: OpenedMaildrop) =>
  [
    sizeText(size),
    ...(shut > 0 ? [`${shut} more ${shut === 1 ? 'opens' : 'open'} with another password`] : []),
    ...(damaged > 0 ? [`${damaged} more cannot be opened, ask the administrator`] : []),
  ].join('; ')

/** RFC 1939 §5: a scan listing is the number and the octets. */
export const scanText = (message: MessageRef | undefined) => `+OK ${message?.number ?? 0} ${message?.octets ?? 0}`
export const uniqueIdText = (message: MessageRef | undefined) =>
  `+OK ${message?.number ?? 0} ${message?.messageId ?? ''}`

export const failureText = (error: unknown) => {
  const { code, message } = asGatewayError(error)
  return ['-ERR', answerTo(code).pop3, message].filter((word) => word !== '').join(' ')
}

/** Why an event that no state takes is refused. What is answered so changes nothing but the count of mistakes. */
export const mistakeOf = (event: Pop3Event): { readonly text: string; readonly kind: Refusal } => {
  const found = 'found' in event ? event.found : undefined
  if (found === 'unread')
    return { text: '-ERR TLS comes before credentials: use STLS', kind: 'credentials-without-tls' }
  if (found === 'proxied') return { text: failureText(new GatewayError('proxy-off')), kind: 'proxy-not-enabled' }
  return { text: `-ERR ${commandMistake(event)}`, kind: 'bad-command' }
}

const commandMistake = (event: Pop3Event): string => {
  if (event.type === 'malformed') return `Syntax: ${event.syntax}`
  if (event.type === 'unknown') return 'Unknown command'
  if (event.type === 'oversized') return 'Line too long'
  if (!('found' in event)) return 'That command is not valid now'
  if (event.found === 'otherMechanism') return 'Only SASL PLAIN is offered'
  if (event.found === 'malformed') return 'Those credentials are not well-formed'
  return event.type === 'pass' ? 'USER comes before PASS' : 'That command is not valid now'
}
