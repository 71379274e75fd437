const LF = 0x0a
const CR = 0x0d

/** A peer's octets as lines. Holds what has arrived and was not taken yet; the caller bounds that by not pushing. */
export type LineReader = {
  push(chunk: Buffer): void
  /**
   * Takes the next line without its end (CRLF, or a bare LF), or `undefined` when it has not wholly arrived.
   * `too-long` when the line and its end are more than `limit` octets, or will be: then nothing is taken.
   * The line is a view into what was pushed.
   */
  take(limit: number): Buffer | 'too-long' | undefined
  /** Octets that wait to be taken. */
  waiting(): number
  /** Forgets what waits. */
  clear(): void
}

export const lineReader = (): LineReader => {
  let octets: Buffer = Buffer.alloc(0)
  let start = 0
  // Where the search for the next LF goes on, so that a line that trickles in is not searched from its start each time.
  let searched = 0
  return {
    push: (chunk) => {
      const kept = octets.length - start
      octets = kept === 0 ? chunk : Buffer.concat([octets.subarray(start), chunk])
      searched -= start
      start = 0
      if (kept === 0) searched = 0
    },
    take: (limit) => {
      const end = octets.indexOf(LF, searched)
      searched = end < 0 ? octets.length : end
      if ((end < 0 ? octets.length : end + 1) - start > limit) return 'too-long'
      if (end < 0) return undefined
      const line = octets.subarray(start, end > start && octets[end - 1] === CR ? end - 1 : end)
      start = searched = end + 1
      return line
    },
    waiting: () => octets.length - start,
    clear: () => {
      octets = Buffer.alloc(0)
      start = searched = 0
    },
  }
}
