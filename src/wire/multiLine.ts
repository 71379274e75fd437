import { type DataParser, dataParser } from './dataParser.ts'

const end = '.\r\n'
const none = Buffer.alloc(0)

export type ReplyPiece = {
  /** As it came, stuffed dots and all, but never an octet of the reply's end. */
  readonly wire: readonly Buffer[]
  /** The same without what the wire needs, in order. */
  readonly content: readonly Uint8Array[]
  /** What follows the reply's end. Undefined while it has not ended. */
  readonly rest: Uint8Array | undefined
}

export type MultiLineReply = { push(chunk: Buffer): ReplyPiece }

/** A reply of many lines behind its first one (RFC 1939 §3), in any segmentation. Not to be used again once `rest` was given. */
export const multiLineReply = (parser: DataParser = dataParser()): MultiLineReply => {
  // What may turn out to be the end.
  let held: Buffer = none
  return {
    push: (chunk) => {
      const { content, rest, open } = parser.push(chunk)
      const octets = held.length === 0 ? [chunk] : [held, chunk]
      const cut = rest === undefined ? open : rest.length + end.length
      const wire = withoutLast(octets, cut)
      held = rest === undefined && open > 0 ? lastOf(octets, open) : none
      return { content, rest, wire }
    },
  }
}

const withoutLast = (pieces: readonly Buffer[], octets: number): readonly Buffer[] => {
  let left = pieces.reduce((sum, piece) => sum + piece.length, -octets)
  return pieces
    .map((piece) => {
      const kept = piece.subarray(0, Math.max(0, left))
      left -= piece.length
      return kept
    })
    .filter((piece) => piece.length > 0)
}

const lastOf = (pieces: readonly Buffer[], octets: number) => Buffer.concat(pieces).subarray(-octets)
