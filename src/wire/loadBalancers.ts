import type { Server, Socket } from 'node:net'
import { networksOf } from '../core/network.ts'
import { withoutMapping } from '../core/sourceAddress.ts'
import { parseProxyHeader } from './proxyHeader.ts'

export type LoadBalancers = {
  /** Their networks, as `parseNetwork` writes them. */
  readonly networks: readonly string[]
  /** Counts a refusal by the balancer's own address. */
  readonly refused: (source: string, kind: 'proxy-header') => void
}

/** Milliseconds in which the header has to come: a balancer sends it before anything else. */
const headerTime = 5_000
/** Milliseconds that a balancer which speaks for itself has to leave again: mostly it only asks whether the port is open. */
const probeTime = 200
/** Connections at once whose header has not come: far more than a balancer opens in the time that one takes. */
const mostWaiting = 10_000

/**
 * Puts itself before everything that listens for the server's connections. A connection from a load balancer has to begin with a
 * PROXY header, before TLS too, or is closed; whoever serves it sees the client's `remoteAddress`, and as its first octet the one
 * behind the header. From elsewhere nothing is looked at: a header is what a peer has typed. Before the server listens.
 */
export const behindLoadBalancers = (server: Server, { networks, refused }: LoadBalancers): void => {
  if (networks.length === 0) return
  const balancers = networksOf(networks)
  const serve = server.listeners('connection')
  const waiting = new Set<Socket>()
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const { remoteAddress } = socket
    // It has gone already: nobody can say any more whether it was a balancer's.
    if (remoteAddress === undefined) {
      socket.destroy()
      return
    }
    const balancer = withoutMapping(remoteAddress).replace(/%.*$/, '')
    const handOver = () => {
      for (const listener of serve) Reflect.apply(listener, server, [socket])
    }
    if (!balancers.has(balancer)) {
      handOver()
      return
    }
    const serveUnlessOver = () => {
      // Notices an end that has come.
      socket.read(0)
      // Only in the next turn is the socket again as one that nobody has listened to.
      setImmediate(() => {
        if (socket.destroyed || socket.readableEnded || !server.listening) socket.destroy()
        else handOver()
      })
    }
    const refuse = () => {
      refused(balancer, 'proxy-header')
      socket.destroy()
    }
    if (waiting.size >= mostWaiting) {
      refuse()
      return
    }
    waiting.add(socket)
    socket.once('close', () => waiting.delete(socket))
    awaitHeader(socket, {
      refuse,
      found: (source) => {
        waiting.delete(socket)
        if (source !== undefined) comeFrom(socket, source)
        setTimeout(serveUnlessOver, source === undefined ? probeTime : 0)
      },
    })
  })
  // They have no session that could come to an end.
  const close = server.close.bind(server)
  server.close = (closed) => {
    for (const socket of waiting) socket.destroy()
    return close(closed)
  }
}

/** Whoever asks the socket where it comes from hears this address. */
export const comeFrom = (socket: Socket, source: string): void => {
  Object.defineProperty(socket, 'remoteAddress', { value: source })
}

type Awaited = { readonly found: (source: string | undefined) => void; readonly refuse: () => void }

const awaitHeader = (socket: Socket, { found, refuse }: Awaited) => {
  let octets: Buffer = Buffer.alloc(0)
  const settle = () => {
    clearTimeout(timer)
    socket.off('readable', read).off('end', left).off('close', settle)
  }
  const read = () => {
    for (let chunk: Buffer | null; (chunk = socket.read() as Buffer | null) !== null;) {
      octets = octets.length === 0 ? chunk : Buffer.concat([octets, chunk])
      const header = parseProxyHeader(octets)
      if (header.is === 'partial') continue
      settle()
      if (header.is === 'invalid') {
        refuse()
        return
      }
      if (octets.length > header.length) socket.unshift(octets.subarray(header.length))
      found(header.source)
      return
    }
  }
  const late = () => {
    settle()
    refuse()
  }
  /** Who asks only whether the port is open has said nothing; it is nobody's refusal. */
  const left = () => {
    settle()
    if (octets.length > 0) refuse()
    else socket.destroy()
  }
  const timer = setTimeout(late, headerTime)
  socket.on('error', () => socket.destroy())
  socket.on('readable', read).once('end', left).once('close', settle)
}
