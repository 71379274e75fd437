import { createServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'

/** PEM. */
export type Pair = { readonly key: string; readonly cert: string }

/** The provider's side of a handshake on a connection. */
export type Secure = (socket: Socket) => TLSSocket

/** Of one server: clients can resume their sessions. */
export const securing = (pair: Pair): Secure => {
  const secureContext = createSecureContext(pair)
  return (socket) => new TLSSocket(socket, { isServer: true, secureContext })
}

export type ProviderListener = {
  readonly secure: Secure
  /** TLS from the first octet. */
  readonly implicit: boolean
}

/** The sockets of a provider on the loopback. */
export type ProviderServer = {
  readonly port: number
  /** Resolves when no connection is open. */
  idle(): Promise<void>
  close(): Promise<void>
}

/** Hands each connection over, its TLS up where that comes first. */
export const listenAsProvider = async (
  listener: ProviderListener,
  serve: (socket: Socket) => void,
): Promise<ProviderServer> => {
  const sockets = new Set<Socket>()
  let wakeIdle = () => {}
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      if (sockets.size === 0) wakeIdle()
    })
    socket.on('error', () => socket.destroy())
    if (!listener.implicit) serve(socket)
    else {
      const over = listener.secure(socket)
      over.on('error', () => over.destroy())
      over.once('secure', () => serve(over))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    idle: async () => {
      while (sockets.size > 0) await new Promise<void>((resolve) => (wakeIdle = resolve))
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
