import { isIP, type Socket } from 'node:net'
import { connect, type PeerCertificate, type SecureContext, type TLSSocket } from 'node:tls'
import { GatewayError } from '../core/errors.ts'
import type { TlsSessions } from './tlsSessions.ts'

export type RemoteTls = {
  /** The name or address that the certificate has to be valid for. */
  readonly server: string
  readonly port: number
  readonly context: SecureContext
  /** Those of `context`. */
  readonly sessions: TlsSessions
  readonly signal: AbortSignal
}

/**
 * The client's side of a handshake on a connection that nobody reads. Rejects, the connection closed, with
 * `proxy-certificate`, `proxy-no-tls` or `proxy-unreachable`.
 */
export const secureRemote = (
  plain: Socket,
  { server, port, context, sessions, signal }: RemoteTls,
): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const name = isIP(server) === 0 ? { servername: server } : {}
    const peer = `${server}:${port}`
    const socket = connect({
      socket: plain,
      host: server,
      ...name,
      secureContext: context,
      rejectUnauthorized: true,
      session: sessions.take(peer),
    })
    // TLS 1.2 gives one before the certificate's name was looked at.
    const unverified: Buffer[] = []
    const collect = (session: Buffer) => void unverified.push(session)
    socket.on('session', collect)
    const fail = (cause: unknown) => {
      signal.removeEventListener('abort', abort)
      reject(tlsFailure(server, cause))
      socket.destroy()
    }
    const abort = () => fail(signal.reason)
    const closed = () => fail(undefined)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    socket.once('error', fail).once('close', closed)
    socket.once('secureConnect', () => {
      signal.removeEventListener('abort', abort)
      socket.off('close', closed).off('error', fail)
      // 'close' follows, which its owner hears.
      socket.on('error', () => socket.destroy())
      const keep = (session: Buffer) => sessions.keep(peer, session)
      socket.off('session', collect).on('session', keep)
      unverified.forEach(keep)
      resolve(socket)
    })
  })

const unsent = 'so your password was not sent to it'

const tlsFailure = (server: string, cause: unknown): GatewayError => {
  const code = codeOf(cause)
  const why = certificateFailure(cause, code)
  if (why !== undefined)
    return new GatewayError('proxy-certificate', { detail: `The certificate of ${server} ${why}, ${unsent}`, cause })
  if (/UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION|UNSUPPORTED_SSL_VERSION/.test(code))
    return new GatewayError('proxy-no-tls', { detail: `${server} offers no TLS 1.2 or later, ${unsent}`, cause })
  if (/^(ERR_SSL_|EPROTO)/.test(code))
    return new GatewayError('proxy-no-tls', { detail: `${server} does not speak TLS as it should, ${unsent}`, cause })
  return new GatewayError('proxy-unreachable', {
    detail: `${server} did not finish the TLS handshake, try again later`,
    cause,
  })
}

/** Whether a handshake failed because the server greeted in clear: it may speak TLS after a command. */
export const beganInClear = ({ code, cause }: GatewayError): boolean =>
  code === 'proxy-no-tls' && /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER/.test(codeOf(cause))

const codeOf = (cause: unknown) => (cause instanceof Error && 'code' in cause ? String(cause.code) : '')

const certificateFailure = (cause: unknown, code: string): string | undefined => {
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `is not valid for that name: it is for ${namesIn(cause)}`
    case 'CERT_HAS_EXPIRED':
      return 'has expired'
    case 'CERT_NOT_YET_VALID':
      return 'is not valid yet'
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return 'is signed by itself only'
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'is issued by an authority that this gateway does not know'
    default:
      return otherwiseInvalid.test(code) ? 'is not valid' : undefined
  }
}

// The further codes of X509_verify_cert, as Node names them.
const otherwiseInvalid = /CERT|CRL|ISSUER|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME_MISMATCH|SIGNATURE_FAILURE/

/** Names that are told at most; a certificate may have hundreds. */
const namesTold = 3

const plainName = /^[A-Za-z0-9.*:-]{1,253}$/

/** What the person reads is made of nothing but the characters of host names and addresses. */
const namesIn = (cause: unknown): string => {
  const { subjectaltname = '', subject } =
    cause instanceof Error && 'cert' in cause ? (cause.cert as Partial<PeerCertificate>) : {}
  const names = [...subjectaltname.matchAll(/(?:DNS|IP Address):([A-Za-z0-9.*:-]{1,253})/g)].map(([, name]) => name)
  const all = names.length > 0 ? names : (plainName.exec(String(subject?.CN)) ?? [])
  if (all.length === 0) return 'no name that could be shown'
  const more = all.length > namesTold ? ` and ${all.length - namesTold} more` : ''
  return `${all.slice(0, namesTold).join(', ')}${more}`
}
