import type { Socket } from 'node:net'
import { GatewayError } from '../core/errors.ts'
import type { TlsFacts } from '../core/events.ts'
import { endSocket } from './endSocket.ts'
import { lineReader } from './lines.ts'
import { startPatience } from './patience.ts'
import { type ServerTls, serveTls, tlsFactsOf } from './serveTls.ts'

/** Octets that a peer may send ahead of our answers before it is no longer read from. */
const readAhead = 64 * 1024

/** What happens on a channel. Called from its socket, never from within a call of the channel's. */
export type ChannelEvents = {
  arrived(): void
  /** No more will come: the peer has left, or has only said all that it had to say; that shows when it is written to. */
  ended(): void
  /** Whether the peer waits for what we do. */
  working(): boolean
  /** The peer has neither said what it wants nor taken what it was sent, in its time. */
  late(): void
  /** The connection is gone. */
  closed(): void
}

/** One peer's connection: lines in, octets out, TLS when asked for. Knows no protocol and outlives no socket. */
export type Channel = {
  /** IPv4 where it is one, also on a listener for both families. */
  readonly remoteAddress: string
  /** Takes the next line if it has wholly arrived; see `LineReader`. */
  line(limit: number): Buffer | 'too-long' | undefined
  /** Whether no further octets can come. */
  ended(): boolean
  /** Resolves when more came, or none can come any more. */
  arrival(): Promise<void>
  /** Text is Latin-1. Octets are sent together at the end of the current turn: a pipeline of replies costs one write. */
  write(octets: Uint8Array | string): void
  /** The back-pressure: resolves when the peer takes more. Rejects when the connection is gone. */
  drained(): Promise<void>
  /** It is the peer's turn: its time begins. What it takes of what was written prolongs it, what it says only once it is whole. */
  yourTurn(): void
  /** Whether the peer is behind in taking what was written. */
  unread(): boolean
  /** The server's side of the handshake; what came behind the lines that were said in clear is thrown away. */
  secure(tls: ServerTls): Promise<TlsFacts>
  /** Sends what was written, then closes; octets that still come are thrown away. */
  end(): void
  /** Closes at once; what was written may be lost. */
  destroy(): void
  octets(): { readonly octetsIn: number; readonly octetsOut: number }
}

const withoutMapping = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '')

/** Seconds, and octets a second: see `Patience`. */
export type ChannelTimes = { readonly turn: number; readonly handshake: number; readonly slowestRate: number }

export const channelOf = (plain: Socket, times: ChannelTimes, events: ChannelEvents): Channel => {
  const reader = lineReader()
  let socket = plain
  let octetsIn = 0
  let octetsOut = 0
  let [inputEnded, ending, gone, corked] = [false, false, false, false]
  let wakeReader = () => {}
  let settleDrain = () => {}

  const arrived = () => {
    wakeReader()
    events.arrived()
  }
  const data = (chunk: Buffer) => {
    if (ending) return
    octetsIn += chunk.length
    reader.push(chunk)
    if (reader.waiting() > readAhead) socket.pause()
    arrived()
  }
  const noMore = () => {
    inputEnded = true
    wakeReader()
    if (!ending) events.ended()
  }
  const closed = () => {
    if (gone) return
    gone = inputEnded = true
    settleDrain()
    wakeReader()
    patience.end()
    events.closed()
  }
  const patience = startPatience({
    seconds: times.turn,
    rate: times.slowestRate,
    content: () => octetsOut - socket.writableLength,
    isOurs: () => !ending && events.working() && socket.writableLength === 0,
    onLost: () => (ending ? socket.destroy() : events.late()),
  })
  const watch = () => {
    socket.on('data', data).on('end', noMore).on('close', closed)
    socket.on('drain', () => settleDrain())
    // 'close' follows.
    socket.on('error', () => socket.destroy())
  }
  const unwatch = () => {
    for (const name of ['data', 'end', 'drain']) socket.removeAllListeners(name)
    socket.pause()
    // On a channel that begins with TLS, what has come already is the handshake's.
    if (octetsIn > 0) while (socket.read() !== null);
    reader.clear()
  }
  const uncork = () => {
    corked = false
    socket.uncork()
  }
  watch()

  return {
    remoteAddress: withoutMapping(plain.remoteAddress ?? ''),
    line: (limit) => {
      const line = reader.take(limit)
      if (socket.isPaused() && reader.waiting() <= readAhead) socket.resume()
      return line
    },
    ended: () => inputEnded,
    arrival: () => new Promise((resolve) => (wakeReader = resolve)),
    write: (octets) => {
      if (gone || ending) return
      octetsOut += octets.length
      if (!corked) {
        corked = true
        socket.cork()
        process.nextTick(uncork)
      }
      socket.write(typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets)
    },
    drained: async () => {
      while (!gone && socket.writableNeedDrain) await new Promise<void>((resolve) => (settleDrain = resolve))
      if (gone) throw new GatewayError('connection-lost')
    },
    yourTurn: () => patience.renew(),
    unread: () => socket.writableLength > 0,
    secure: async (tls) => {
      // What was said before TLS has to go out before it.
      if (corked) uncork()
      unwatch()
      socket = await serveTls(socket, tls, times.handshake)
      watch()
      return tlsFactsOf(socket)
    },
    end: () => {
      if (ending) return
      ending = true
      endSocket(socket)
    },
    destroy: () => socket.destroy(),
    octets: () => ({ octetsIn, octetsOut }),
  }
}
