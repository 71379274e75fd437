import { createServer, type Server as HttpsServer } from 'node:https'
import type { Server, Socket } from 'node:net'
import { answerTo } from './core/errors.ts'
import type { PeerProtocol } from './core/events.ts'
import { listen } from './wire/listen.ts'
import { type ServedPair, serverTls, serveTls } from './wire/serveTls.ts'

/** A port and what is spoken there. */
export type StandInListener = {
  readonly protocol: PeerProtocol | 'https'
  readonly host: string
  readonly port: number
}

export type StandIns = {
  /** Frees the ports. */
  close(): Promise<void>
}

export type StandInParts = {
  readonly domain: string
  readonly tls: ServedPair
  /** Of the load balancers. */
  readonly networks: readonly string[]
}

/** What every peer is told: the log cannot be reached, and nothing is taken that could not be recorded. */
const refusal = answerTo('storage-failed')
/** Connections at once on one port; each is answered and closed. */
const maxConnections = 1_000
/** Seconds after which a client of the API may ask again. */
const retryAfter = 5

/**
 * Stands in for the gateway's listeners while there is no log: SMTP peers hear 421, POP3 peers [SYS/TEMP], the API
 * answers 503, each at once. So senders keep their mail and try again, rather than find nobody there.
 * Rejects with `start-refused` when it cannot listen.
 */
export const openStandIns = async (
  listeners: readonly StandInListener[],
  { domain, tls, networks }: StandInParts,
): Promise<StandIns> => {
  const greetings = {
    smtp: `421 4.3.0 ${domain} ${refusal.text}\r\n`,
    pop3: `-ERR ${refusal.pop3} ${refusal.text}\r\n`,
  }
  const secured = serverTls(() => tls)
  // Nothing is counted while there is no log.
  const loadBalancers = { networks, refused: () => undefined }
  const open: (Server | HttpsServer)[] = []
  const sockets = new Set<Socket>()
  const turnAway = (greeting: string, secure: boolean) => (plain: Socket) => {
    plain.on('error', () => plain.destroy()).once('close', () => sockets.delete(plain))
    sockets.add(plain)
    const say = (socket: Socket) => void socket.end(greeting, () => socket.destroy())
    if (secure) serveTls(plain, secured()).then(say, () => plain.destroy())
    else say(plain)
  }
  const close = async () => {
    const closed = open.map((server) => new Promise((resolve) => server.close(resolve)))
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
  }
  const start = ({ protocol, host, port }: StandInListener) => {
    if (protocol === 'https') return listenHttps(host, port, tls, sockets)
    const greeting = protocol.startsWith('pop3') ? greetings.pop3 : greetings.smtp
    return listen({ host, port, loadBalancers, onConnection: turnAway(greeting, protocol.endsWith('s')) })
  }
  try {
    for (const listener of listeners) {
      const server = await start(listener)
      server.maxConnections = maxConnections
      open.push(server)
    }
    return { close }
  } catch (error) {
    await close()
    throw error
  }
}

/** As the API's problems (RFC 9457). */
const problem = JSON.stringify({
  type: 'about:blank',
  title: 'Service Unavailable',
  status: 503,
  detail: refusal.text,
  code: 'storage-failed',
  retry: true,
})

const listenHttps = (host: string, port: number, tls: ServedPair, sockets: Set<Socket>) =>
  new Promise<HttpsServer>((resolve, reject) => {
    const server = createServer({ ...tls, minVersion: 'TLSv1.2' }, (_, response) => {
      response.writeHead(503, {
        'content-type': 'application/problem+json',
        'retry-after': String(retryAfter),
        'cache-control': 'no-store',
        connection: 'close',
      })
      response.end(problem)
    })
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    server.once('error', reject)
    server.listen(port, host, () => resolve(server))
  })
