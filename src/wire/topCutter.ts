const LF = 0x0a
const CR = 0x0d

/** Cuts a message that comes in chunks. */
export type Cutter = (chunk: Uint8Array) => Uint8Array

/** RETR: everything. */
export const wholeMessage: Cutter = (chunk) => chunk

/**
 * TOP (RFC 1939 §7): the header, the empty line that ends it, and so many lines of the body. A line ends at LF, so that
 * it is cut before line ends are made canonical. What follows the cut comes out empty.
 */
export const topCutter = (lines: number): Cutter => {
  let inHeader = true
  let bodyLines = lines
  let partial = 0
  let partialIsCr = false

  /** Whether the line that ends here is the last one wanted. */
  const endsWith = (length: number, isCr: boolean) => {
    if (!inHeader) return --bodyLines === 0
    inHeader = length > 1 || (length === 1 && !isCr)
    return !inHeader && bodyLines === 0
  }
  let done = false
  return (chunk) => {
    if (done) return chunk.subarray(0, 0)
    const octets = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    let start = 0
    for (let end = octets.indexOf(LF); end >= 0; end = octets.indexOf(LF, start)) {
      const length = partial + end - start
      done = endsWith(length, length === 1 && (partial === 1 ? partialIsCr : octets[start] === CR))
      start = end + 1
      partial = 0
      if (done) return chunk.subarray(0, start)
    }
    if (partial === 0 && start < octets.length) partialIsCr = octets[start] === CR
    partial += octets.length - start
    return chunk
  }
}
