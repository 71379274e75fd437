import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket, type TlsOptions } from 'node:tls'
import { GatewayError } from '../core/errors.ts'
import type { TlsFacts } from '../core/events.ts'
import { oneHandshake } from './oneHandshake.ts'
import { strongTls } from './strongTls.ts'

/** PEM. */
export type TlsPair = { readonly key: string; readonly cert: string }

/** The pair that a listener shows, and what it shows those who ask for a name that another pair is for. */
export type ServedPair = TlsPair & { readonly SNICallback?: NonNullable<TlsOptions['SNICallback']> }

export type ServerTls = Pick<ServedPair, 'SNICallback'> & { readonly secureContext: SecureContext }

/** Seconds for the whole handshake, unless said otherwise: a peer that trickles it would never be idle. */
const handshakeTime = 60

/** `authorities` vouch for clients, where these are asked for a certificate. */
export const contextOf = ({ key, cert }: TlsPair, authorities: readonly string[] = []): SecureContext =>
  createSecureContext({ ...strongTls, key, cert, ...(authorities.length > 0 && { ca: [...authorities] }) })

/** Of the pair that holds now; its context is made anew only when the pair has changed. */
export const serverTls = (pair: () => ServedPair): (() => ServerTls) => {
  let made: (TlsPair & ServerTls) | undefined
  return () => {
    const now = pair()
    if (made?.key !== now.key || made.cert !== now.cert) made = { ...now, secureContext: contextOf(now) }
    return made
  }
}

/** The server's side of a handshake on an accepted connection. Rejects with `connection-lost`, the connection closed. */
export const serveTls = (
  plain: Socket,
  { secureContext, SNICallback }: ServerTls,
  seconds = handshakeTime,
): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    if (plain.destroyed || plain.readableEnded) {
      plain.destroy()
      reject(new GatewayError('connection-lost'))
      return
    }
    const socket = new TLSSocket(plain, { isServer: true, secureContext, ...(SNICallback && { SNICallback }) })
    const fail = (cause?: unknown) => {
      clearTimeout(timer)
      socket.destroy()
      reject(new GatewayError('connection-lost', { cause }))
    }
    const timer = setTimeout(fail, seconds * 1000)
    // A TLSSocket that no tls.Server made tells of TLS errors in this way only.
    socket.on('_tlsError', fail)
    socket.on('error', fail)
    // Who ends his side takes no part in a handshake any more, though the socket may be half-closed. Behind octets that were read
    // just now, the end is still to show, and on the plain socket only.
    socket.once('end', fail).once('close', fail)
    plain.once('end', fail)
    socket.once('secure', () => {
      clearTimeout(timer)
      socket.off('end', fail).off('close', fail)
      plain.off('end', fail)
      oneHandshake(socket)
      resolve(socket)
    })
  })

export const tlsFactsOf = (socket: Socket): TlsFacts =>
  socket instanceof TLSSocket
    ? { version: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().standardName }
    : null
