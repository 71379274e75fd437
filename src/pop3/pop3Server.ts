import { setTimeout as sleep } from 'node:timers/promises'
import type { Server, Socket } from 'node:net'
import { pop3Session } from '../../actors/pop3Session.ts'
import { work } from '../../actors/session.ts'
import type { Limits } from '../config.ts'
import { answerTo, GatewayError } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { sourceOf } from '../core/sourceAddress.ts'
import type { Maildrops } from '../maildrop.ts'
import type { Pop3Proxies } from '../proxy/pop3Proxy.ts'
import type { SessionRecorder } from '../sessions.ts'
import { connectionCounts } from '../wire/connectionCounts.ts'
import { listen, portOf } from '../wire/listen.ts'
import type { LoadBalancers } from '../wire/loadBalancers.ts'
import { type ServedPair, serverTls } from '../wire/serveTls.ts'
import { type Connection, type ConnectionDeps, connectionOf } from './connection.ts'

export type Pop3Listener = {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** `pop3s` begins with TLS (RFC 8314 §3.2), `pop3` offers STLS. */
  readonly protocol: 'pop3' | 'pop3s'
}

export type Pop3Deps = {
  readonly listeners: readonly Pop3Listener[]
  readonly loadBalancers: LoadBalancers
  readonly domain: string
  readonly limits: Pick<Limits, 'pop3Sessions' | 'sessionsPerClient'> & ConnectionDeps['limits']
  /** The certificate that holds now; asked for at each handshake. */
  readonly tls: () => ServedPair
  readonly maildrops: Maildrops
  /** Undefined while no other server may be reached. */
  readonly proxies: Pop3Proxies | undefined
  readonly sessions: SessionRecorder
  readonly refused: (source: string, kind: string) => void
  readonly logger: Logger
  readonly clock: Clock
}

export type Pop3Server = {
  readonly addresses: readonly Pop3Listener[]
  /** Connections that are not over. */
  connections(): number
  /** Those of the address that has the most. */
  connectionsOfOne(): number
  /**
   * Accepts nobody new, closes who is waiting, lets running commands finish for so many milliseconds, then closes
   * everybody.
   */
  close(graceMs: number): Promise<void>
}

/** Milliseconds that broken connections have to give their maildrops back. */
const afterGrace = 1_000

/** Rejects with `start-refused` when a listener cannot be opened; then none is. */
export const startPop3 = async (deps: Pop3Deps): Promise<Pop3Server> => {
  const connections = new Map<string, Connection>()
  const { limits } = deps
  const places = connectionCounts(() => ({ all: limits.pop3Sessions, perSource: limits.sessionsPerClient }))
  const secured = serverTls(deps.tls)
  const shared = {
    ...deps,
    secured,
    machine: wired(connections),
    onGone: (session: string) => connections.delete(session),
  }

  const accept = (protocol: Pop3Listener['protocol']) => (socket: Socket) => {
    const { remoteAddress = '' } = socket
    const leave = places.begin(sourceOf(remoteAddress))
    if (leave === undefined) {
      deps.refused(remoteAddress, 'too-many-sessions')
      turnAway(socket, protocol)
      return
    }
    socket.once('close', leave)
    const connection = connectionOf(shared, socket, protocol)
    connections.set(connection.session, connection)
    connection.start()
  }
  const { servers, addresses } = await listenOnAll(deps, accept)

  return {
    addresses,
    connections: () => connections.size,
    connectionsOfOne: () => places.most(),
    close: async (graceMs) => {
      const closed = servers.map(closeServer)
      for (const connection of connections.values()) connection.drain()
      await settledWithin(closed, graceMs)
      for (const connection of connections.values()) connection.destroy()
      await settledWithin(closed, afterGrace)
    },
  }
}

/** The machine with the work of the connection that its input names. Made once: it costs more than a session. */
const wired = (connections: ReadonlyMap<string, Connection>): typeof pop3Session => {
  const of = ({ session }: { readonly session: string }) => {
    const connection = connections.get(session)
    if (!connection) throw new GatewayError('internal')
    return connection
  }
  return pop3Session.provide({
    actors: {
      upgrade: work(({ input }) => of(input).upgrade()),
      unlock: work(({ input }) => of(input).unlock()),
      enumerate: work(({ input, signal }) => of(input).enumerate(input, signal)),
      fetch: work(({ input, signal }) => of(input).fetch(input, signal)),
      send: work(({ input, signal }) => of(input).send(input, signal)),
      update: work(({ input }) => of(input).update(input)),
      connect: work(({ input }) => of(input).connect()),
      answer: work(({ input }) => of(input).answer()),
      relay: work(({ input }) => of(input).relay(input)),
      passOn: work(({ input }) => of(input).passOn()),
    },
  })
}

const turnAway = (socket: Socket, protocol: Pop3Listener['protocol']) => {
  socket.on('error', () => socket.destroy())
  // A peer that waits for TLS could not read it.
  if (protocol === 'pop3s') socket.destroy()
  else socket.end(`-ERR ${answerTo('overloaded').pop3} ${answerTo('overloaded').text}\r\n`, () => socket.destroy())
}

const listenOnAll = async (
  { listeners, loadBalancers }: Pick<Pop3Deps, 'listeners' | 'loadBalancers'>,
  accept: (protocol: Pop3Listener['protocol']) => (socket: Socket) => void,
) => {
  const servers: Server[] = []
  const addresses: Pop3Listener[] = []
  try {
    for (const { host, port, protocol } of listeners) {
      const server = await listen({ host, port, loadBalancers, onConnection: accept(protocol) })
      servers.push(server)
      addresses.push({ protocol, host, port: portOf(server) })
    }
  } catch (error) {
    await Promise.all(servers.map(closeServer))
    throw error
  }
  return { servers, addresses }
}

/** Resolves when its connections are gone too. */
const closeServer = (server: Server) => new Promise<void>((resolve) => server.close(() => resolve()))

const settledWithin = async (all: readonly Promise<void>[], milliseconds: number) => {
  const enough = new AbortController()
  await Promise.race([Promise.all(all), sleep(milliseconds, undefined, enough).catch(() => undefined)])
  enough.abort()
}
