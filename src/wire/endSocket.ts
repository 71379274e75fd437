import type { Socket } from 'node:net'

/** Milliseconds that the peer has to close after our last words, so that what it still sends does not reset those. */
const linger = 3_000

/**
 * Says the last words and closes; what still comes is thrown away, and a peer that does not close in its turn is closed upon.
 * Nothing of a connection that is closed is held any longer.
 */
export const endSocket = (socket: Socket, lastWords: Uint8Array | string = ''): void => {
  socket.end(lastWords, () => {
    if (socket.closed) return
    const timer = setTimeout(() => socket.destroy(), linger).unref()
    socket.once('close', () => clearTimeout(timer))
  })
  socket.resume()
}
