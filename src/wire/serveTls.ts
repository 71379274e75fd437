import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { GatewayError } from '../core/errors.ts'
import type { TlsFacts } from '../core/events.ts'

/** PEM. */
export type TlsPair = { readonly key: string; readonly cert: string }

/** Milliseconds for the whole handshake: a peer that trickles it would never be idle. */
const handshakeTime = 60_000

/** The context of the pair that holds now; made anew only when the pair has changed. */
export const secureContexts = (pair: () => TlsPair): (() => SecureContext) => {
  let made: (TlsPair & { readonly context: SecureContext }) | undefined
  return () => {
    const { key, cert } = pair()
    if (made?.key !== key || made.cert !== cert)
      made = { key, cert, context: createSecureContext({ key, cert, minVersion: 'TLSv1.2' }) }
    return made.context
  }
}

/** The server's side of a handshake on an accepted connection. Rejects with `connection-lost`, the connection closed. */
export const serveTls = (plain: Socket, secureContext: SecureContext): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    if (plain.destroyed) {
      reject(new GatewayError('connection-lost'))
      return
    }
    const socket = new TLSSocket(plain, { isServer: true, secureContext })
    const fail = (cause?: unknown) => {
      clearTimeout(timer)
      socket.destroy()
      reject(new GatewayError('connection-lost', { cause }))
    }
    const timer = setTimeout(fail, handshakeTime)
    // A TLSSocket that no tls.Server made tells of TLS errors in this way only, after the handshake too.
    socket.on('_tlsError', fail)
    socket.on('error', fail)
    socket.once('close', fail)
    socket.once('secure', () => {
      clearTimeout(timer)
      socket.off('close', fail)
      resolve(socket)
    })
  })

export const tlsFactsOf = (socket: Socket): TlsFacts =>
  socket instanceof TLSSocket
    ? { version: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().standardName }
    : null
