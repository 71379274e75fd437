const cr = 0x0d
const lf = 0x0a
const dot = 0x2e

/** A line end and a dot: where something is to be decided. Found natively, ten times faster than octet by octet. */
const stuffed = Buffer.of(cr, lf, dot)
/** A chunk with more stuffed dots than this is copied from there on, so that no consumer is fed with crumbs. */
const maxViews = 8

const loneCr = Uint8Array.of(cr)

export type DataPiece = {
  /** The content that these octets brought, in order; views of the chunk unless it held many stuffed dots. */
  readonly content: readonly Uint8Array[]
  /** What follows the end of the data: commands. Undefined while the data has not ended. */
  readonly rest: Uint8Array | undefined
  /** Octets at the end of all that was pushed of which it is open whether they end the data: a dot, and a CR after it. */
  readonly open: number
}

export type DataParser = {
  /** Takes the next octets of the wire, in any segmentation. Not to be called again once `rest` was given. */
  push(chunk: Buffer): DataPiece
}

/**
 * How much of CR LF "." CR LF has been seen. CR and LF are content as soon as they are seen, for the line end before the
 * final dot belongs to the message; the dot never is, and the CR after it only when no LF follows.
 */
type Matched = 0 | 1 | 2 | 3 | 4

/**
 * RFC 5321 §4.1.1.4 and §4.5.2, and RFC 1939 §3 for a multi-line reply, strictly: only CR LF "." CR LF ends the data (or "." CR LF at its very start), and a dot is
 * removed only where it follows CR LF (or the start). Bare CR and bare LF are content like any other octet.
 */
export const dataParser = (): DataParser => {
  let matched: Matched = 2
  return {
    push(chunk) {
      const scan = scanData(chunk, matched)
      matched = scan.matched
      const rest = scan.end === undefined ? undefined : chunk.subarray(scan.end)
      return { content: scan.content, rest, open: Math.max(0, matched - 2) }
    },
  }
}

type Scan = {
  readonly matched: Matched
  readonly content: readonly Uint8Array[]
  /** The index after the end of the data. */
  readonly end: number | undefined
}

/** One function although it is long: the states share the range that is being read. */
const scanData = (chunk: Buffer, before: Matched): Scan => {
  const size = chunk.length
  const content: Uint8Array[] = []
  let matched = before
  // Where the range of content begins that is being read; -1 while the last octets are no content.
  let begin = matched >= 3 ? -1 : 0
  let at = 0
  while (at < size) {
    const octet = chunk[at]
    if (matched === 0) {
      const stop = endOfLines(chunk, at, begin, content)
      at = stop.at
      begin = stop.begin
      matched = stop.matched
    } else if (matched === 1) {
      if (octet === lf) matched = 2
      else if (octet !== cr) matched = 0
      at += 1
    } else if (matched === 2) {
      matched = 0
      if (octet !== dot) continue
      if (at > begin) content.push(chunk.subarray(begin, at))
      begin = -1
      matched = 3
      at += 1
    } else if (matched === 3) {
      if (octet === cr) {
        matched = 4
        at += 1
      } else {
        begin = at
        matched = 0
      }
    } else {
      if (octet === lf) return { matched: 2, content, end: at + 1 }
      // No LF after all: the CR is content, also when an earlier chunk brought it.
      if (at === 0) content.push(loneCr)
      begin = Math.max(0, at - 1)
      matched = 1
    }
  }
  if (begin >= 0 && begin < size) content.push(chunk.subarray(begin, size))
  return { matched, content, end: undefined }
}

type Stop = { readonly at: number; readonly begin: number; readonly matched: 0 | 1 }

/**
 * Reads on from the middle of a line, as far as all that decides lies in this chunk: up to and with the CR of a line end
 * after which the data may end, or of the chunk's last octets.
 */
const endOfLines = (chunk: Buffer, from: number, first: number, content: Uint8Array[]): Stop => {
  let begin = first
  let at = chunk.indexOf(stuffed, from)
  while (at >= 0 && at < chunk.length - 4 && !(chunk[at + 3] === cr && chunk[at + 4] === lf)) {
    content.push(chunk.subarray(begin, at + 2))
    begin = at + 3
    if (content.length > maxViews) begin = unstuffed(chunk, begin, content)
    at = chunk.indexOf(stuffed, begin)
  }
  // What remains holds at most a line end that is not whole.
  if (at < 0) at = chunk.indexOf(cr, Math.max(begin, from, chunk.length - 2))
  return at < 0 ? { at: chunk.length, begin, matched: 0 } : { at: at + 1, begin, matched: 1 }
}

/**
 * Copies what follows, from the middle of a line, without its stuffed dots. Stops before the last line end of which this
 * chunk does not decide, or which may end the data; gives the index of that line end or of the chunk's last octets.
 */
const unstuffed = (chunk: Buffer, from: number, content: Uint8Array[]): number => {
  const safe = chunk.length - 4
  const target = Buffer.allocUnsafeSlow(chunk.length - from)
  let size = 0
  let at = from
  while (at < safe) {
    const octet = chunk[at] ?? 0
    if (octet === cr && chunk[at + 1] === lf && chunk[at + 2] === dot) {
      if (chunk[at + 3] === cr && chunk[at + 4] === lf) break
      target[size] = cr
      target[size + 1] = lf
      size += 2
      at += 3
    } else {
      target[size] = octet
      size += 1
      at += 1
    }
  }
  if (size > 0) content.push(target.subarray(0, size))
  return at
}
