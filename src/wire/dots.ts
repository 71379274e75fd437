const LF = 0x0a
const CR = 0x0d
const DOT = 0x2e

const none = Buffer.alloc(0)
const crlf = Buffer.from('\r\n')

/** Turns stored octets into the lines of a multi-line reply, over any segmentation. */
export type WireEncoder = {
  /** What to write for these octets, in order. May be the given chunk itself: nothing is copied without need. */
  encode(chunk: Uint8Array): Uint8Array
  /** What a missing last line end needs; the terminating `.` CRLF is the caller's. */
  end(): Uint8Array
}

/**
 * RFC 1939 §3: lines end in CRLF, and a line that begins with `.` gets a second one. A bare LF becomes CRLF, a CR that
 * no LF follows stays as it is, a last line without its end gets CRLF (after a CR too); nothing at all stays nothing.
 * `canonical` says that no line end needs changing: then only dots are looked for.
 */
export const wireEncoder = (canonical: boolean): WireEncoder => {
  let last = LF
  let secondLast = CR
  const remember = (chunk: Uint8Array) => {
    secondLast = chunk.length > 1 ? (chunk[chunk.length - 2] ?? 0) : last
    last = chunk[chunk.length - 1] ?? 0
  }
  return {
    encode: (chunk) => {
      if (chunk.length === 0) return none
      const before = last
      remember(chunk)
      return canonical && !hasDotLine(chunk, before) ? chunk : rewritten(chunk, before)
    },
    // Canonical octets pass unchanged, so a bare LF at their end would be taken for no line end by the peer.
    end: () => (last === LF && (!canonical || secondLast === CR) ? none : crlf),
  }
}

const hasDotLine = (chunk: Uint8Array, before: number) =>
  (before === LF && chunk[0] === DOT) || asBuffer(chunk).indexOf('\n.', 0, 'latin1') >= 0

const asBuffer = (chunk: Uint8Array) => Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)

/** Octets that are rewritten at a time; each may become two. */
const block = 64 * 1024
/** Used again for every block: memory fresh from the system costs more than the copy out of here. */
const scratch = Buffer.allocUnsafeSlow(2 * block)

const rewritten = (chunk: Uint8Array, before: number): Uint8Array => {
  if (chunk.length <= block) return Buffer.from(scratch.subarray(0, rewriteToScratch(chunk, before)))
  const blocks: Uint8Array[] = []
  for (let from = 0; from < chunk.length; from += block)
    blocks.push(rewritten(chunk.subarray(from, from + block), from === 0 ? before : (chunk[from - 1] ?? 0)))
  return Buffer.concat(blocks)
}

/** One pass over every octet: as fast on `..` lines as on prose, where a search per line would be ten times slower. */
const rewriteToScratch = (chunk: Uint8Array, before: number): number => {
  let last = before
  let length = 0
  for (let i = 0; i < chunk.length; i++) {
    const octet = chunk[i] ?? 0
    // Letters are past both that matter: one comparison for most octets.
    if (octet <= DOT) {
      if (octet === LF) {
        if (last !== CR) scratch[length++] = CR
      } else if (octet === DOT && last === LF) scratch[length++] = DOT
    }
    scratch[length++] = octet
    last = octet
  }
  return length
}

/** Counts at receipt what `wireEncoder` will later write, dot-stuffing not counted (RFC 1939 §11). */
export type WireSizeCounter = {
  update(chunk: Uint8Array): void
  /** Octets on the wire of everything seen so far, a missing last line end included. */
  final(): number
}

export const wireSizeCounter = (): WireSizeCounter => {
  let octets = 0
  let last = LF
  return {
    update: (chunk) => {
      if (chunk.length === 0) return
      octets += chunk.length + bareLineFeeds(chunk, last)
      last = chunk[chunk.length - 1] ?? 0
    },
    final: () => octets + (last === LF ? 0 : crlf.length),
  }
}

/** Below this line length a search per line is slower than looking at every octet. */
const shortLine = 32
/** How far to look at every octet before a search is tried again. */
const stride = 512

/** LFs that no CR precedes; `before` is the octet that stood before the chunk. */
const bareLineFeeds = (chunk: Uint8Array, before: number): number => {
  const octets = asBuffer(chunk)
  let count = octets[0] === LF && before !== CR ? 1 : 0
  let from = 1
  while (from < octets.length) {
    const at = octets.indexOf(LF, from)
    if (at < 0) break
    if (octets[at - 1] !== CR) count++
    const dense = at - from < shortLine
    from = at + 1
    if (!dense) continue
    const end = Math.min(octets.length, from + stride)
    for (; from < end; from++) if (octets[from] === LF && octets[from - 1] !== CR) count++
  }
  return count
}
