import { lineReader } from '../wire/lines.ts'

/** Unique ids that are remembered of one connection; what is not is asked for. */
const most = 10_000
/** Octets of a line of a listing, with room to spare (RFC 1939 §7). */
const lineLimit = 512

/** The unique ids of a remote maildrop, as far as they have been heard. They hold for the whole session (RFC 1939 §7). */
export type UniqueIds = {
  of(number: number): string | undefined
  /** `+OK n id`, the answer to UIDL with a number. */
  heard(statusLine: Buffer): void
  /** Reads a listing that is passed on. */
  listener(): (content: Uint8Array) => void
}

export const uniqueIds = (): UniqueIds => {
  const ids = new Map<number, string>()
  const note = (text: string) => {
    const [, number, id] = /^(\d{1,10}) +([\x21-\x7e]{1,200}) *$/.exec(text) ?? []
    if (id !== undefined && (ids.size < most || ids.has(Number(number)))) ids.set(Number(number), id)
  }
  return {
    of: (number) => ids.get(number),
    heard: (statusLine) => note(statusLine.toString('latin1').slice('+OK'.length).trim()),
    listener: () => {
      const lines = lineReader()
      let over = false
      return (content) => {
        if (over) return
        lines.push(Buffer.from(content))
        for (let line = lines.take(lineLimit); line !== undefined; line = lines.take(lineLimit)) {
          over = line === 'too-long'
          if (line === 'too-long') return
          note(line.toString('latin1'))
        }
      }
    },
  }
}
