import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { GatewayError } from '../core/errors.ts'
import { behindLoadBalancers, type LoadBalancers } from './loadBalancers.ts'

export type Listening = {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly loadBalancers: LoadBalancers
  readonly onConnection: (socket: Socket) => void
}

/**
 * Listens for TCP connections, which may be half-closed: a peer that has sent all its commands still gets its answers.
 * Rejects with `start-refused` and one clear sentence.
 */
export const listen = ({ host, port, loadBalancers, onConnection }: Listening): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection)
    behindLoadBalancers(server, loadBalancers)
    server.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(host, port, cause)))
    server.listen(port, host, () => resolve(server))
  })

export const cannotListen = (host: string, port: number, cause: NodeJS.ErrnoException) =>
  new GatewayError('start-refused', { detail: refusalText(host, port, cause.code), cause })

const refusalText = (host: string, port: number, code = 'unknown error') => {
  if (code === 'EADDRINUSE') return `port ${port} is already in use on ${host}`
  if (code === 'EACCES') return `port ${port} needs a privilege that this user does not have`
  return `cannot listen on ${host} port ${port} (${code})`
}

export const portOf = (server: Server): number => (server.address() as AddressInfo).port // A TCP server's always is one.
