import type { TLSSocket } from 'node:tls'

/**
 * Of a socket whose handshake is made: a peer that asks for another, or sends what no key opens, loses its connection.
 * `SSL_OP_NO_RENEGOTIATION` alone would tell it so and let it ask again.
 */
export const oneHandshake = (socket: TLSSocket): void => {
  socket.disableRenegotiation()
  // A TLSSocket that no tls.Server made tells of TLS errors in this way only, and stays open.
  socket.on('_tlsError', () => socket.destroy())
}
