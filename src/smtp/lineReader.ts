const crlf = Buffer.from('\r\n')
const lf = 0x0a
const cr = 0x0d

/** Octets of an endless line that are read and dropped before the peer is given up. */
const maxDropped = 1024 * 1024

export type Read =
  /** A line without its CRLF, and where the next one begins in the chunk. */
  | { readonly is: 'line'; readonly line: Buffer; readonly next: number }
  /** The end of a line that was longer than allowed. */
  | { readonly is: 'tooLong'; readonly next: number }
  /** The chunk ends within a line. */
  | { readonly is: 'partial' }
  /** A line that does not end. */
  | { readonly is: 'endless' }

export type LineReader = {
  /** Reads on in `chunk` from `from`. */
  read(chunk: Buffer, from: number): Read
}

const partial = { is: 'partial' } as const
const nothing = Buffer.alloc(0)

/** Lines that end in CRLF and in nothing else (RFC 5321 §2.3.8); bounded, in any segmentation. */
export const lineReader = (maxLine: number): LineReader => {
  let held: Buffer = nothing
  let dropped = 0

  const ended = (line: Buffer, next: number): Read => {
    held = nothing
    if (dropped === 0 && line.length <= maxLine) return { is: 'line', line, next }
    dropped = 0
    return { is: 'tooLong', next }
  }
  return {
    read(chunk, from) {
      if (from >= chunk.length) return partial
      if (held.at(-1) === cr && chunk[from] === lf) return ended(held.subarray(0, -1), from + 1)
      const end = chunk.indexOf(crlf, from)
      if (end >= 0) {
        const line = chunk.subarray(from, end)
        return ended(held.length === 0 ? line : Buffer.concat([held, line]), end + 2)
      }
      // Copied, so that a few octets do not keep a whole chunk alive.
      held = Buffer.concat([held, chunk.subarray(from)])
      if (held.length <= maxLine + 1) return partial
      dropped += held.length - 1
      held = Buffer.from(held.subarray(-1))
      return dropped > maxDropped ? { is: 'endless' } : partial
    },
  }
}
