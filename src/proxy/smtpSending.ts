import type { Archive, Delivery } from '../archive.ts'
import { GatewayError, mayBeWritten } from '../core/errors.ts'
import type { MessageId } from '../core/ids.ts'
import { crlfLines } from '../wire/crlfLines.ts'
import { wireEncoder } from '../wire/dots.ts'
import type { Flight } from '../wire/flight.ts'
import { openIntake } from '../wire/intake.ts'

export type SendingParts = {
  readonly archive: Archive
  readonly flight: Flight
  readonly delivery: Delivery
  /** Octets of a message. */
  readonly limit: number
  /** To the remote server; whether more may follow at once. */
  readonly write: (octets: Uint8Array) => boolean
  /** The archive and the server both take more again. */
  readonly onRoom: () => void
}

/** One message on its way from the client to the remote server and into the archive, in one pass. */
export type Sending = {
  readonly messageId: MessageId
  /** Takes content as the client has sent it, its dots unstuffed. Whether more may follow at once. */
  take(pieces: readonly Uint8Array[]): boolean
  /** The server takes more again. */
  serverRoom(): void
  /** Whether the client sends far more than it may. */
  isFlood(): boolean
  /** The client has sent all of it. */
  end(): void
  /** Ends it at the remote server. */
  release(): void
  /** The server gets no more of it. Unless all of it was taken already, neither does the archive. */
  abandon(): void
  /** Resolves when the copy is durable; rejects as `Archive.receive`. */
  readonly durable: Promise<unknown>
  /** Resolves with whether a copy is, or may be, in the log. */
  readonly mayBeKept: Promise<boolean>
}

/**
 * What is sealed is what is sent: content whose line ends are CRLF. Only the dots are stuffed on the wire. The last piece goes
 * with the end: so a small message is one write, and none of it leaves before its copy is durable.
 */
export const openSending = ({ archive, flight, delivery, limit, write, onRoom }: SendingParts): Sending => {
  const lines = crlfLines()
  const stuffing = wireEncoder(true)
  // Each takes at its own pace; the client is read at that of the slower one.
  const full = { archive: false, server: false }
  const hasRoom = () => !full.archive && !full.server
  const roomAt = (place: keyof typeof full) => {
    full[place] = false
    if (hasRoom()) onRoom()
  }
  const intake = openIntake(limit, () => roomAt('archive'), flight)
  const { body } = intake
  let abandoned = false
  let last: Uint8Array = none

  const pass = (piece: Uint8Array) => {
    const content = lines.push(piece)
    if (content.length === 0) return
    full.archive = !intake.take([content])
    if (abandoned) return
    const stuffed = stuffing.encode(content)
    if (last.length < leastWrite) {
      last = last.length === 0 ? stuffed : Buffer.concat([last, stuffed])
      return
    }
    full.server = !write(last)
    last = stuffed
  }
  const received = archive.receive(delivery, body).then(() => {
    if (body.taken) return
    throw new GatewayError('internal', { cause: new Error('a receipt for a message not read to its end') })
  })
  received.catch(() => body.discard())
  return {
    messageId: delivery.messageId,
    take: (pieces) => {
      pieces.forEach(pass)
      return hasRoom()
    },
    serverRoom: () => roomAt('server'),
    isFlood: () => intake.isFlood(),
    end: () => {
      pass(lines.end())
      body.end()
    },
    release: () => void write(Buffer.concat([last, endOfData])),
    abandon: () => {
      abandoned = true
      last = none
      full.server = false
      body.lose()
    },
    durable: received,
    mayBeKept: received.then(() => true, mayBeWritten),
  }
}

/** Octets below which more is waited for: each write that the server has not taken costs some hundred octets besides. */
const leastWrite = 1024

const none = Buffer.alloc(0)
const endOfData = Buffer.from('.\r\n')
