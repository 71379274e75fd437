import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { SMTPServer } from 'smtp-server'
import type { PeerProtocol } from '../core/events.ts'
import { GatewayError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { sourceOf } from '../core/sourceAddress.ts'
import { type ConnectionCounts, connectionCounts } from '../wire/connectionCounts.ts'
import { behindLoadBalancers, comeFrom, type LoadBalancers } from '../wire/loadBalancers.ts'
import { oneHandshake } from '../wire/oneHandshake.ts'
import type { ServedPair } from '../wire/serveTls.ts'
import { strongTls } from '../wire/strongTls.ts'
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
  /** Those of the address that has the most. */
  connectionsOfOne(): number
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
  /** Certificates (PEM) of those who vouch for clients; without any, no client is asked for one. Read as `tls` is. */
  readonly clientAuthorities?: () => readonly string[]
  readonly shared: Pick<PeerShared, 'domain' | 'limits' | 'logger' | 'open' | 'refused'>
  /** What a connection is served by. */
  readonly connection: (server: SMTPServer, socket: Socket, accepted: Accepted) => PeerConnection
  /** What goes on although its connection may be closed. */
  readonly working: ReadonlySet<Promise<unknown>>
}

/** Milliseconds that a peer has to hear the last goodbye. */
const farewell = 500

/** Starts the listeners, all or none. Rejects with `start-refused`, which says why. */
export const listenSmtp = async (parts: ListenParts): Promise<Smtp> => {
  const { listeners, working } = parts
  const { open, limits } = parts.shared
  const places = connectionCounts(() => ({ all: limits.smtpSessions, perSource: limits.sessionsPerClient }))
  const servers: SMTPServer[] = []
  const drain = async (graceMs: number) => {
    const stopped = servers.map(stopListening)
    const gone = () => Promise.all([...open].map((connection) => connection.gone))
    const within = (ms: number) => Promise.race([gone(), delay(ms, undefined, { ref: false })])
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
      const server = serverFor(listener, parts, places)
      servers.push(server)
      addresses.push({ ...listener, port: await listen(server, listener) })
    }
    return {
      addresses,
      connections: () => open.size,
      connectionsOfOne: () => places.most(),
      renew: () => {
        for (const server of servers) server.updateSecureContext(secured(parts))
      },
      close,
    }
  } catch (error) {
    await close(0)
    throw error
  }
}

/** A client whose certificate is missing or no good goes on without: what that means is the session's to say. */
const secured = ({ tls, clientAuthorities = () => [] }: ListenParts) => {
  const ca = [...clientAuthorities()]
  const requestCert = ca.length > 0
  return { ...strongTls, ...tls(), ca: requestCert ? ca : undefined, requestCert, rejectUnauthorized: false }
}

const fromTheFirstOctet: ReadonlySet<SmtpProtocol> = new Set(['smtps', 'submissions'])

const serverFor = ({ protocol }: SmtpListener, parts: ListenParts, places: ConnectionCounts) => {
  const { loadBalancers, shared, connection } = parts
  const { domain, logger } = shared
  const secure = fromTheFirstOctet.has(protocol)
  const server = new SMTPServer({
    ...secured(parts),
    secure,
    name: domain,
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
    const leave = secure ? () => {} : places.begin(sourceOf(socket.remoteAddress ?? ''))
    const accepted = connection(server, socket, { protocol, socketOptions, leave })
    server.connections.add(accepted)
    accepted.init()
  }
  // It would ask for an international name in letters that no certificate has: they say `xn--…` (RFC 6066 §3).
  server._normalizeHostname = (name) => name
  // The TLS socket would ask the system, which knows the load balancer only.
  const upgrade = server._upgrade.bind(server)
  server._upgrade = (plain, upgraded) =>
    upgrade(plain, (error, socket) => {
      if (socket && plain.remoteAddress !== undefined) comeFrom(socket, plain.remoteAddress)
      if (socket) oneHandshake(socket)
      upgraded(error, socket)
    })
  if (secure) boundHandshakes(server, shared, places)
  behindLoadBalancers(server.server, loadBalancers)
  server.on('error', (error) => logHandshake(logger, error))
  return server
}

/**
 * With TLS from the first octet a connection has its place before the handshake, which costs the most, and until its socket is
 * closed. One for which there is none is closed without a word: it could not read any.
 */
const boundHandshakes = (
  server: SMTPServer,
  { limits, refused }: Pick<PeerShared, 'limits' | 'refused'>,
  places: ConnectionCounts,
) => {
  const accept = server._acceptSocket.bind(server)
  server._acceptSocket = (socket, handshake) => {
    const { remoteAddress = '' } = socket
    const leave = places.begin(sourceOf(remoteAddress))
    if (leave === undefined) {
      refused(remoteAddress, 'too-many-sessions')
      socket.destroy()
      return false
    }
    const late = setTimeout(() => {
      refused(remoteAddress, 'tls-handshake')
      server._pendingSockets.get(socket)?.destroy()
    }, limits.tlsHandshake * 1000)
    socket.once('close', leave).once('close', () => clearTimeout(late))
    const release = accept(socket, handshake)
    return (
      release &&
      (() => {
        clearTimeout(late)
        release()
      })
    )
  }
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
