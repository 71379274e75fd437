import type { Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { GatewayError } from '../../src/core/errors.ts'
import type { Dialled } from '../../src/proxy/dial.ts'

/** As a socket, which has an idle time beyond what a stream has. */
const asSocket = (stream: Duplex): Socket => {
  let timer: NodeJS.Timeout | undefined
  const idleTime = {
    setTimeout: (milliseconds: number) => {
      clearTimeout(timer)
      if (milliseconds > 0 && !stream.destroyed) timer = setTimeout(() => stream.emit('timeout'), milliseconds)
    },
  }
  const write = stream._write.bind(stream)
  // No socket brings the answer to what is written before the call that writes it has returned.
  stream._write = (...written) => void setImmediate(() => write(...written))
  stream.on('close', () => clearTimeout(timer)).on('error', () => stream.destroy())
  return Object.assign(stream, idleTime) as unknown as Socket
}

export type Wires = {
  /** The provider's side of the second connection, which stands for TLS once the provider has asked for it. */
  upgrade(): Socket
  isUpgraded(socket: Socket): boolean
  /** A connection to who is served, both sides of it in memory. */
  dial(serve: (socket: Socket) => void, secure: boolean): Dialled
}

/** Connections without a network and without TLS, which is taken for granted where it is said to be. */
export const wires = (): Wires => {
  const [ours, theirs] = duplexPair({ allowHalfOpen: false }).map(asSocket) as [Socket, Socket]
  const [oursUpgraded, upgraded] = duplexPair({ allowHalfOpen: false }).map(asSocket) as [Socket, Socket]
  let isUp = false
  return {
    upgrade: () => {
      isUp = true
      return upgraded
    },
    isUpgraded: (socket) => socket === upgraded,
    dial: (serve, secure) => {
      serve(theirs)
      return {
        socket: ours,
        secure,
        address: '192.0.2.99',
        port: secure ? 465 : 587,
        startTls: async () => {
          await nextTurn()
          if (!isUp) throw new GatewayError('proxy-no-tls', { detail: 'The server does not speak TLS as it should' })
          // Nothing is asked of it that only TLS has.
          return oursUpgraded as unknown as Awaited<ReturnType<Dialled['startTls']>>
        },
      }
    },
  }
}
