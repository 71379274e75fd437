import type { Socket } from 'node:net'
import type { TlsFacts } from '../core/events.ts'
import { GatewayError } from '../core/errors.ts'
import { endSocket } from '../wire/endSocket.ts'
import { tlsFactsOf } from '../wire/serveTls.ts'
import type { Dialled } from './dial.ts'
import { type RemoteReply, replyReader } from './smtpReply.ts'

export type RemoteEvents = {
  replied(reply: RemoteReply): void
  /** What came is no reply. Nothing more is read. */
  nonsense(): void
  /** Nothing came, or nothing was taken, for as long as that was allowed. */
  silent(): void
  /** The server takes more again. */
  room(): void
  closed(): void
}

/** The octets of a connection to an SMTP server. */
export type SmtpRemote = {
  /** One line, Latin-1, without its end; a reply is expected within so many seconds. */
  say(line: string, seconds: number): void
  /** Whether more may follow at once; else `room` says when. */
  write(octets: Uint8Array): boolean
  /** Something is to happen within so many seconds, or `silent` tells; undefined: nothing is waited for. */
  within(seconds: number | undefined): void
  /** Rejects as `Dialled.startTls`. */
  secure(): Promise<void>
  tls(): TlsFacts
  /** Says goodbye and closes. */
  quit(): void
  destroy(): void
  octets(): { readonly octetsIn: number; readonly octetsOut: number }
}

/** `most`: octets that the server has not taken, beyond which there is no room. */
export const smtpRemote = (dialled: Dialled, most: number, events: RemoteEvents): SmtpRemote => {
  let socket: Socket = dialled.socket
  let replies = replyReader()
  let [octetsIn, octetsOut, over, full] = [0, 0, false, false]
  /** Milliseconds of the monotonic clock. */
  let due = Infinity
  let timer: { readonly at: number; readonly handle: NodeJS.Timeout } | undefined

  // One timer for all that is waited for: a new one for each command would cost more than most of them.
  const within = (seconds: number | undefined) => {
    due = seconds === undefined || over ? Infinity : performance.now() + seconds * 1000
    if (due < (timer?.at ?? Infinity)) watchClock(seconds ?? 0)
  }
  const watchClock = (seconds: number) => {
    clearTimeout(timer?.handle)
    timer = { at: performance.now() + seconds * 1000, handle: setTimeout(look, seconds * 1000) }
  }
  const look = () => {
    timer = undefined
    const left = due - performance.now()
    if (left === Infinity) return
    if (left > 0) watchClock(left / 1000)
    else {
      due = Infinity
      events.silent()
    }
  }
  const data = (chunk: Buffer) => {
    octetsIn += chunk.length
    replies.push(chunk)
    for (let reply = replies.take(); reply !== undefined && !over; reply = replies.take()) {
      if (reply === 'nonsense') {
        socket.pause()
        events.nonsense()
        return
      }
      within(undefined)
      events.replied(reply)
    }
  }
  const drained = () => {
    if (!full) return
    full = false
    events.room()
  }
  const closed = () => {
    if (!over) events.closed()
  }
  const watch = () => void socket.on('data', data).on('drain', drained).on('end', closed).on('close', closed)
  const unwatch = () => {
    socket.off('data', data).off('drain', drained).off('end', closed).off('close', closed)
    socket.pause()
  }
  const end = () => {
    over = true
    clearTimeout(timer?.handle)
    unwatch()
  }
  const write = (octets: Uint8Array) => {
    octetsOut += octets.length
    socket.write(octets)
    // Of fewer octets than it buffers in any case a socket does not tell when they were taken.
    full = socket.writableNeedDrain && socket.writableLength > most
    return !full
  }
  watch()
  return {
    say: (line, seconds) => {
      write(Buffer.from(`${line}\r\n`, 'latin1'))
      within(seconds)
    },
    write,
    within,
    secure: async () => {
      unwatch()
      if (replies.waiting() > 0) {
        socket.destroy()
        throw new GatewayError('proxy-lost', { detail: beforeTls })
      }
      socket = await dialled.startTls()
      replies = replyReader()
      if (over) socket.destroy()
      else watch()
    },
    tls: () => tlsFactsOf(socket),
    quit: () => {
      end()
      octetsOut += quit.length
      endSocket(socket, quit)
    },
    destroy: () => {
      end()
      socket.destroy()
    },
    octets: () => ({ octetsIn, octetsOut }),
  }
}

const quit = 'QUIT\r\n'
const beforeTls = 'The server sent something before TLS that does not belong there, so your password was not sent to it'
