import { lookup as systemLookup } from 'node:dns/promises'
import { connect, isIPv4, type LookupFunction, type Socket } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { asGatewayError, GatewayError } from '../core/errors.ts'
import type { AddressPolicy } from './addresses.ts'
import type { RemotePort } from './ports.ts'
import { beganInClear, secureRemote } from './remoteTls.ts'
import { tlsSessions } from './tlsSessions.ts'

/** A connection to a remote server that has not said or heard a word yet. Whoever has it closes it. */
export type Dialled = {
  /** Nobody reads it, and its errors are taken care of: 'close' follows. */
  readonly socket: Socket
  /** Whether TLS protects it, with a certificate that is valid for the server. If not, `startTls` comes before any secret. */
  readonly secure: boolean
  readonly address: string
  readonly port: number
  /**
   * After the server's consent to STARTTLS or STLS, of which the caller has read the last octet and none beyond. Nobody may
   * listen to `socket` any more. Octets that came in clear behind the consent break the connection (`proxy-lost`): somebody put
   * them there. Rejects otherwise as `Dial` does; the connection is closed then.
   */
  startTls(): Promise<TLSSocket>
}

export type Wanted = {
  readonly server: string
  /** The ports to try, one after the other: of `portsOf`. */
  readonly ports: readonly RemotePort[]
  readonly signal: AbortSignal
}

/**
 * Rejects with `proxy-unreachable`, `proxy-address`, `proxy-no-tls`, `proxy-certificate`, or `connection-lost` when `signal` has
 * ended it. A further port is tried only when the one before could not be reached.
 */
export type Dial = (wanted: Wanted) => Promise<Dialled>

export type Lookup = (server: string) => Promise<readonly string[]>

export type DialParts = {
  readonly policy: AddressPolicy
  readonly context: SecureContext
  /** Milliseconds, for one port. */
  readonly timeout: number
  /** The addresses of a name. */
  readonly lookup?: Lookup
}

const addressesOf = async (server: string) => (await systemLookup(server, { all: true })).map(({ address }) => address)

/** Resolves a name once and connects to nothing but the addresses that were checked. */
export const dialler = ({ policy, context, timeout, lookup = addressesOf }: DialParts): Dial => {
  const sessions = tlsSessions()
  const limited = (signal: AbortSignal) => AbortSignal.any([signal, AbortSignal.timeout(timeout)])

  const dialOnce = async (server: string, to: Tried): Promise<Dialled> => {
    const { addresses, port, tls, signal } = to
    const usable = addresses.filter((address) => policy.allows(address, port))
    if (usable.length === 0) throw new GatewayError('proxy-address')
    const within = limited(signal)
    const socket = await open({ server, port, addresses: usable, signal: within })
    const dialled = { address: socket.remoteAddress ?? '', port }
    if (tls === 'upgrade') return { ...dialled, socket, secure: false, startTls: () => upgrade(socket, to, server) }
    const secured = await secureRemote(socket, { server, port, context, sessions, signal: within })
    return { ...dialled, socket: secured, secure: true, startTls: () => Promise.reject(new GatewayError('internal')) }
  }

  const upgrade = (socket: Socket, { port, signal }: Tried, server: string): Promise<TLSSocket> => {
    if (socket.readableLength === 0)
      return secureRemote(socket, { server, port, context, sessions, signal: limited(signal) })
    socket.destroy()
    const detail = `${server} sent something before TLS that does not belong there, so your password was not sent to it`
    return Promise.reject(new GatewayError('proxy-lost', { detail }))
  }

  const dialPort = async (server: string, { tls, ...to }: Tried): Promise<Dialled> => {
    if (tls !== 'either') return dialOnce(server, { tls, ...to })
    try {
      return await dialOnce(server, { ...to, tls: 'implicit' })
    } catch (error) {
      if (!beganInClear(asGatewayError(error))) throw error
      return dialOnce(server, { ...to, tls: 'upgrade' })
    }
  }

  return async ({ server, ports, signal }) => {
    try {
      const addresses = await resolved(server, lookup, limited(signal))
      return await firstReached(ports, (port) => dialPort(server, { ...port, addresses, signal }))
    } catch (error) {
      throw signal.aborted ? new GatewayError('connection-lost', { cause: error }) : error
    }
  }
}

const firstReached = async (ports: readonly RemotePort[], dialPort: (port: RemotePort) => Promise<Dialled>) => {
  for (const [index, port] of ports.entries()) {
    try {
      return await dialPort(port)
    } catch (error) {
      if (asGatewayError(error).code !== 'proxy-unreachable' || index === ports.length - 1) throw error
    }
  }
  throw new GatewayError('proxy-target')
}

type Tried = RemotePort & { readonly addresses: readonly string[]; readonly signal: AbortSignal }

const unreachable = (detail: string, cause: unknown) => new GatewayError('proxy-unreachable', { detail, cause })

const resolved = async (server: string, lookup: Lookup, signal: AbortSignal) => {
  try {
    return await settledBefore(signal, lookup(server))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const detail =
      code === 'ENOTFOUND' || code === 'ENODATA'
        ? `There is no server ${server}: check the user name`
        : `${server} could not be looked up, try again later`
    throw unreachable(detail, cause)
  }
}

const settledBefore = async <T>(signal: AbortSignal, work: Promise<T>): Promise<T> => {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

type Place = {
  readonly server: string
  readonly port: number
  readonly addresses: readonly string[]
  readonly signal: AbortSignal
}

/** Milliseconds before the next address of the same server is tried. */
const addressTimeout = 1000

/** Resolves once connected to one of the addresses. The name is not looked up again. */
const open = ({ server, port, addresses, signal }: Place): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({
      host: server,
      port,
      lookup: given(addresses),
      noDelay: true,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: addressTimeout,
    })
    const fail = (cause: unknown) => {
      socket.destroy()
      reject(unreachable(`${server} cannot be reached on port ${port}, try again later`, cause))
    }
    const abort = () => fail(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    // After the connection too: 'close' follows.
    socket.on('error', fail)
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort)
      resolve(socket)
    })
  })

const given =
  (addresses: readonly string[]): LookupFunction =>
  (_, { all }, answer) => {
    const answers = addresses.map((address) => ({ address, family: isIPv4(address) ? 4 : 6 }))
    if (all) answer(null, answers)
    else answer(null, answers[0]?.address ?? '', answers[0]?.family)
  }
