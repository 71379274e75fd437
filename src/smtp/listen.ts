import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { SMTPServer } from 'smtp-server'
import type { PeerProtocol } from '../core/events.ts'
import { GatewayError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { behindLoadBalancers, comeFrom, type LoadBalancers } from '../wire/loadBalancers.ts'
import type { ServedPair } from '../wire/serveTls.ts'
import type { Accepted, PeerConnection, PeerShared } from './peerConnection.ts'

export type SmtpProtocol = Exclude<PeerProtocol, 'pop3' | 'pop3s'>

export type SmtpListener = {
  readonly protocol: SmtpProtocol
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
}

export type Smtp = {
  /** Where it listens, with the ports that the system chose. */
  readonly addresses: readonly SmtpListener[]
  /** Connections whose socket is not closed. */
  connections(): number
  /** New connections get what `tls` gives and `limits` say now. */
  renew(): void
  /**
   * No new connections; sessions without a transaction are told to come back later, the others may finish for `graceMs`.
   * Resolves when every connection is closed and no message is on its way into the archive. Idempotent.
   */
  close(graceMs: number): Promise<void>
}

export type ListenParts = {
  readonly listeners: readonly SmtpListener[]
  readonly loadBalancers: LoadBalancers
  /** Key and certificate, PEM. Read at the start, and again by `renew`. */
  readonly tls: () => ServedPair
  readonly shared: Pick<PeerShared, 'domain' | 'limits' | 'logger' | 'open'>
  /** What a connection is served by. */
  readonly connection: (server: SMTPServer, socket: Socket, accepted: Accepted) => PeerConnection
  /** What goes on although its connection may be closed. */
  readonly working: ReadonlySet<Promise<unknown>>
}

/** Milliseconds that a peer has to hear the last goodbye. */
const farewell = 500

/** Starts the listeners, all or none. Rejects with `start-refused`, which says why. */
export const listenSmtp = async (parts: ListenParts): Promise<Smtp> => {
  const { listeners, tls, working } = parts
  const { open } = parts.shared
  const servers: SMTPServer[] = []
  const drain = async (graceMs: number) => {
    const stopped = servers.map(stopListening)
    const gone = () => Promise.all([...open].map((connection) => connection.gone))
    const within = (ms: number) => Promise.race([gone(), delay(ms)])
    for (const connection of open) connection.shutdown(false)
    await within(graceMs)
    for (const connection of open) connection.shutdown(true)
    await within(farewell)
    for (const connection of open) connection.destroy()
    await Promise.all([...stopped, Promise.allSettled(working)])
  }
  let closing: Promise<void> | undefined
  const close = (graceMs: number) => (closing ??= drain(graceMs))
  try {
    const addresses: SmtpListener[] = []
    for (const listener of listeners) {
      const server = serverFor(listener, parts)
      servers.push(server)
      addresses.push({ ...listener, port: await listen(server, listener) })
    }
    return {
      addresses,
      connections: () => open.size,
      renew: () => {
        for (const server of servers) {
          Object.assign(server.options, bounds(parts.shared.limits))
          server.updateSecureContext(tls())
        }
      },
      close,
    }
  } catch (error) {
    await close(0)
    throw error
  }
}

/** Handshakes that are under way are bounded too; sessions are counted by the machine's `crowded`. */
const bounds = ({ smtpIdle, smtpSessions }: PeerShared['limits']) => ({
  socketTimeout: smtpIdle * 1000,
  maxClients: smtpSessions,
})

const fromTheFirstOctet: ReadonlySet<SmtpProtocol> = new Set(['smtps', 'submissions'])

const serverFor = ({ protocol }: SmtpListener, { loadBalancers, tls, shared, connection }: ListenParts) => {
  const { domain, limits, logger } = shared
  const secure = fromTheFirstOctet.has(protocol)
  const server = new SMTPServer({
    ...tls(),
    secure,
    name: domain,
    minVersion: 'TLSv1.2',
    ...bounds(limits),
    // A peer that has said everything and ends its side still hears the answers. Not with TLS: nobody half-closes it, and
    // a peer that leaves in the middle of a handshake would go unnoticed.
    allowHalfOpen: !secure,
    logger: false,
  })
  // Until its session listens, a socket's error would be nobody's and end the process.
  server.server.on('connection', (socket: Socket) => socket.on('error', () => {}))
  server.connect = (socket, socketOptions) => {
    // Gone before its session began: its close would never be heard.
    if (socket.destroyed) return
    const accepted = connection(server, socket, { protocol, socketOptions })
    server.connections.add(accepted)
    accepted.init()
  }
  // The TLS socket would ask the system, which knows the load balancer only.
  const upgrade = server._upgrade.bind(server)
  server._upgrade = (plain, upgraded) =>
    upgrade(plain, (error, socket) => {
      if (socket && plain.remoteAddress !== undefined) comeFrom(socket, plain.remoteAddress)
      upgraded(error, socket)
    })
  behindLoadBalancers(server.server, loadBalancers)
  server.on('error', (error) => logHandshake(logger, error))
  return server
}

const logHandshake = (logger: Logger, error: Error) =>
  logger.info({ err: error }, 'an SMTP connection failed before its session began')

const listen = (server: SMTPServer, { host, port }: SmtpListener) =>
  new Promise<number>((resolve, reject) => {
    server.server.once('error', (cause) => reject(cannotListen(host, port, cause)))
    server.listen(port, host, () => {
      const address = server.server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })

const cannotListen = (host: string, port: number, cause: Error & { readonly code?: string }) =>
  new GatewayError('start-refused', {
    cause,
    detail:
      cause.code === 'EADDRINUSE'
        ? `port ${port} is already in use (SMTP on ${host})`
        : `SMTP cannot listen on ${host} port ${port}: ${cause.message}`,
  })

/** Resolves when the last connection is closed. Handshakes that are under way belong to nobody yet: they are broken off. */
const stopListening = (server: SMTPServer) =>
  new Promise<void>((resolve) => {
    server.server.close(() => resolve())
    for (const socket of server._pendingSockets.values()) socket.destroy()
  })
