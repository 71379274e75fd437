import type { Socket } from 'node:net'
import type { RemoteStatus } from '../../actors/proxied.ts'
import { GatewayError } from '../core/errors.ts'
import type { TlsFacts } from '../core/events.ts'
import { endSocket } from '../wire/endSocket.ts'
import { tlsFactsOf } from '../wire/serveTls.ts'
import type { Dialled } from './dial.ts'

/** Octets of a status line: RFC 2449 §4 has 512, and some servers say more. */
const statusLimit = 4096
/** Octets that are taken off the connection at once: as many as cross to the storage thread at once. */
const readAtOnce = 256 * 1024
const LF = 0x0a
const CR = 0x0d
const none = Buffer.alloc(0)

export type RemoteEvents = {
  /** The server has closed. */
  gone(): void
}

export type RemoteOptions = {
  /** For texts. */
  readonly server: string
  /** Seconds for an answer, and for its next octets. */
  readonly answerTimeout: number
}

/**
 * The octets of a connection to a POP3 server. What waits rejects with `proxy-lost` when the server is gone, is silent for
 * too long, or says what no server may say.
 *
 * A server whose greeting ends in a bare LF is taken to end every line so, and is read as if it had written CRLF: else the end
 * of its replies would be waited for in vain. Of any other a bare LF is content.
 */
export type Pop3Remote = {
  /** Writes one line (Latin-1, without its end). Throws `proxy-lost` when the server has said something unasked. */
  say(line: string): void
  status(): Promise<RemoteStatus>
  /** The last status line as it came, with its end. */
  statusLine(): Buffer
  /** The next octets, at least one. */
  chunk(): Promise<Buffer>
  /** Gives back octets of a chunk that were not part of what was read. */
  giveBack(octets: Uint8Array): void
  /** TLS after the server's consent. Rejects as `Dialled.startTls`. */
  secure(): Promise<void>
  tls(): TlsFacts
  /** What waits, and all that will, rejects with this; the connection is closed. */
  fail(error: GatewayError): GatewayError
  /** Says goodbye, if that is a line, and closes. */
  end(goodbye?: string): void
  destroy(): void
  octets(): { readonly octetsIn: number; readonly octetsOut: number }
}

export const pop3Remote = (dialled: Dialled, options: RemoteOptions, events: RemoteEvents): Pop3Remote => {
  const { server, answerTimeout } = options
  const lost = (what: string) => new GatewayError('proxy-lost', { detail: `${server} ${what}, try again later` })
  let socket: Socket = dialled.socket
  let waiting: Buffer = none
  let line: Buffer = none
  let mend: ((chunk: Buffer) => Buffer) | undefined
  let failure: GatewayError | undefined
  let wake: (() => void) | undefined
  let [octetsIn, octetsOut, greeted] = [0, 0, false]

  const read = (): Buffer | undefined => {
    // Without a size it would give one TLS record, and some servers send small ones.
    const chunk = socket.read(Math.min(socket.readableLength, readAtOnce) || undefined) as Buffer | null
    if (chunk === null) return undefined
    octetsIn += chunk.length
    return mend ? mend(chunk) : chunk
  }
  /** Of several the first counts. */
  const fail = (error: GatewayError): GatewayError => {
    failure ??= error
    socket.destroy()
    wake?.()
    return failure
  }
  const closed = () => {
    const wasWaiting = wake !== undefined
    fail(lost('has closed the connection'))
    if (!wasWaiting) events.gone()
  }
  const readable = () => {
    if (wake) wake()
    // So that its end shows too; `say` finds that something was said.
    else if (waiting.length === 0) waiting = read() ?? none
  }
  const watch = () => {
    socket.setTimeout(answerTimeout * 1000)
    socket.on('timeout', () => {
      socket.setTimeout(answerTimeout * 1000)
      if (wake) fail(lost('does not answer'))
    })
    socket.on('readable', readable).on('end', closed).on('close', closed)
  }
  const unwatch = () => {
    socket.setTimeout(0)
    for (const name of ['timeout', 'readable', 'end', 'close']) socket.removeAllListeners(name)
  }
  watch()

  const chunk = async (): Promise<Buffer> => {
    if (waiting.length > 0) {
      const octets = waiting
      waiting = none
      return octets
    }
    for (;;) {
      const octets = read()
      if (octets) return octets
      if (failure) throw failure
      await new Promise<void>((resolve) => (wake = resolve))
      wake = undefined
    }
  }
  const nextLine = async (): Promise<Buffer> => {
    let octets: Buffer = none
    for (;;) {
      const next = await chunk()
      octets = octets.length === 0 ? next : Buffer.concat([octets, next])
      const at = octets.indexOf(LF)
      if (at >= statusLimit || (at < 0 && octets.length >= statusLimit)) break
      if (at < 0) continue
      waiting = octets.subarray(at + 1)
      return octets.subarray(0, at + 1)
    }
    throw fail(lost('answers with an endless line'))
  }

  return {
    say: (text) => {
      if (failure) throw failure
      if (waiting.length > 0) {
        throw fail(lost('said something that it was not asked'))
      }
      octetsOut += text.length + 2
      socket.write(Buffer.from(`${text}\r\n`, 'latin1'))
    },
    status: async () => {
      line = await nextLine()
      if (!greeted && line.at(-2) !== CR) {
        mend = mendLineEnds()
        waiting = mend(waiting)
      }
      greeted = true
      line = withCrlf(line)
      const status = statusOf(line)
      if (status) return status
      throw fail(lost('does not answer as a POP3 server should'))
    },
    statusLine: () => line,
    chunk,
    giveBack: (octets) => {
      waiting = Buffer.from(octets)
    },
    secure: async () => {
      unwatch()
      if (waiting.length > 0) {
        const detail = `${server} sent something before TLS that does not belong there, so your password was not sent to it`
        throw fail(new GatewayError('proxy-lost', { detail }))
      }
      // What was said in clear may have been said by anybody: how lines end shows again.
      mend = undefined
      greeted = false
      socket = await dialled.startTls()
      watch()
    },
    tls: () => tlsFactsOf(socket),
    fail,
    end: (goodbye) => {
      unwatch()
      socket.on('error', () => socket.destroy())
      endSocket(socket, goodbye === undefined ? none : `${goodbye}\r\n`)
    },
    destroy: () => {
      unwatch()
      socket.on('error', () => undefined)
      fail(new GatewayError('connection-lost'))
    },
    octets: () => ({ octetsIn, octetsOut }),
  }
}

const statusOf = (line: Buffer): RemoteStatus | undefined => {
  const text = line.toString('latin1')
  if (/^\+OK[ \r]/i.test(text)) return 'ok'
  if (/^-ERR[ \r]/i.test(text)) return 'err'
  return /^\+[ \r]/.test(text) ? 'continue' : undefined
}

const withCrlf = (line: Buffer) =>
  line.at(-2) === CR ? line : Buffer.concat([line.subarray(0, -1), Buffer.from('\r\n')])

/** Every LF becomes CRLF unless a CR stands before it. */
const mendLineEnds = () => {
  let last = 0
  return (chunk: Buffer): Buffer => {
    if (chunk.length === 0) return chunk
    const text = chunk.toString('latin1').replaceAll(/(?<!\r)\n/g, '\r\n')
    const isHalf = last === CR && chunk[0] === LF
    last = chunk.at(-1) ?? 0
    return Buffer.from(isHalf ? text.slice(1) : text, 'latin1')
  }
}
