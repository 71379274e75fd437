import { GatewayError } from '../core/errors.ts'
import type { Maildrop, MaildropEntry, Maildrops } from '../maildrop.ts'
import type { Channel } from '../wire/channel.ts'
import { wireEncoder } from '../wire/dots.ts'
import type { Cutter } from '../wire/topCutter.ts'

/**
 * Octets up to which a message is read to its end before any of it is sent: it costs one write, and one that turns out
 * to be unreadable can still be refused without breaking the connection.
 */
const readWhole = 256 * 1024

const terminator = Buffer.from('.\r\n')

/** What is there to send: some chunks already read, and what follows them. */
export type Opened = { readonly head: readonly Uint8Array[]; readonly rest: AsyncGenerator<Uint8Array> | undefined }

/** One message on its way from the vault. */
export type Retrieval = {
  readonly entry: MaildropEntry
  /** Small messages are read to their end, of larger ones only the first chunk. Rejects as `retrieve` throws. */
  readonly opened: Promise<Opened>
  abort(): void
}

export const beginRetrieval = (maildrops: Maildrops, maildrop: Maildrop, entry: MaildropEntry): Retrieval => {
  const abortion = new AbortController()
  const source = maildrops.retrieve(maildrop, entry, abortion.signal)
  const opened = entry.wireSize <= readWhole ? readAll(source, entry.size) : readFirst(source, entry.size)
  // One that was begun early may fail before anybody waits for it.
  opened.catch(() => undefined)
  const abort = () => {
    abortion.abort()
    // One that is not being read now would otherwise hold what it has open.
    opened.then(({ rest }) => rest?.return(undefined)).catch(() => undefined)
  }
  return { entry, opened, abort }
}

/** Takes exactly the octets that the log says the message has: what is held in memory is bounded by that. */
const exactly = (size: number) => {
  let left = size
  return {
    count: (chunk: Uint8Array) => {
      left -= chunk.length
      if (left < 0) throw new GatewayError('object-corrupt')
    },
    end: () => {
      if (left > 0) throw new GatewayError('object-corrupt')
    },
  }
}

const readAll = async (source: AsyncIterable<Uint8Array>, size: number): Promise<Opened> => {
  const octets = exactly(size)
  const head: Uint8Array[] = []
  for await (const chunk of source) {
    octets.count(chunk)
    head.push(chunk)
  }
  octets.end()
  return { head, rest: undefined }
}

const readFirst = async (source: AsyncIterable<Uint8Array>, size: number): Promise<Opened> => {
  const chunks = checked(source, size)
  const first = await chunks.next()
  return first.done ? { head: [], rest: undefined } : { head: [first.value], rest: chunks }
}

async function* checked(source: AsyncIterable<Uint8Array>, size: number) {
  const octets = exactly(size)
  for await (const chunk of source) {
    octets.count(chunk)
    yield chunk
  }
  octets.end()
}

/** What the peer is to see of a message (RFC 1939 §3), and its end, onto the channel. */
const writer = (channel: Channel, { entry }: Retrieval, cut: Cutter) => {
  const encoder = wireEncoder(entry.size === entry.wireSize)
  const write = (octets: Uint8Array) => {
    if (octets.length > 0) channel.write(octets)
  }
  return {
    write: (chunk: Uint8Array) => write(encoder.encode(cut(chunk))),
    end: () => {
      write(encoder.end())
      channel.write(terminator)
    },
  }
}

/** Writes a message that was read whole; the peer may take it when it likes. */
export const deliverWhole = (channel: Channel, retrieval: Retrieval, { head }: Opened, cut: Cutter) => {
  const out = writer(channel, retrieval, cut)
  for (const chunk of head) out.write(chunk)
  out.end()
}

/**
 * Writes a message as it is read and as the peer takes it. Its end is not reached before the source has come to its
 * own: not when a cut leaves nothing more to write either.
 */
export const deliver = async (channel: Channel, retrieval: Retrieval, { head, rest }: Opened, cut: Cutter) => {
  const out = writer(channel, retrieval, cut)
  for (const chunk of head) out.write(chunk)
  for await (const chunk of rest ?? []) {
    out.write(chunk)
    await channel.drained()
  }
  out.end()
}
