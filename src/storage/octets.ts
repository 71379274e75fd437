/** Octets that cross between threads at once; a message that fits crosses whole. */
export const pieceSize = 256 * 1024
const leastPiece = 48 * 1024
/** Octets that all messages that come in at once may gather, each its share. */
const gatheredAtOnce = 4 * 1024 * 1024

/**
 * What one of so many messages that come in gathers before it crosses: little when there are many, as who sends a part of a piece and then
 * no more holds that memory; a thousand hold less than `limits.bytesInFlight` is by default.
 */
export const pieceShare = (messages: number): number =>
  Math.max(leastPiece, Math.min(pieceSize, gatheredAtOnce / messages))

export type Piece = { readonly bytes: Uint8Array<ArrayBuffer>; readonly done: boolean }

/**
 * Cuts chunks into pieces of their own, fit to be handed to another thread: few large pieces cross a thread better than many small. Each is as
 * large as `enough` says when it is begun; the last, which may be empty, is `done`. No chunk is kept once the next is asked for.
 */
export async function* cutPieces(
  chunks: AsyncIterable<Uint8Array>,
  enough: () => number,
): AsyncGenerator<Piece, void, undefined> {
  let size = Math.ceil(enough())
  let room = new Uint8Array(0)
  let used = 0
  for await (const chunk of chunks)
    for (let at = 0; at < chunk.length;) {
      if (used === size) {
        yield { bytes: room, done: false }
        size = Math.ceil(enough())
        room = Buffer.allocUnsafeSlow(size)
        used = 0
      }
      const taken = Math.min(size - used, chunk.length - at)
      room = roomFor(used + taken, room, size)
      room.set(chunk.subarray(at, at + taken), used)
      used += taken
      at += taken
    }
  yield { bytes: room.subarray(0, used), done: true }
}

/** Most messages are much smaller than a piece: room grows with what comes, to `most` octets. */
const roomFor = (octets: number, room: Uint8Array<ArrayBuffer>, most: number): Uint8Array<ArrayBuffer> => {
  if (octets <= room.length) return room
  const grown = Buffer.allocUnsafeSlow(Math.min(most, Math.max(2 * room.length, octets)))
  grown.set(room)
  return grown
}
