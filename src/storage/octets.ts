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

/** Chunks as one buffer of their own, fit to be handed to another thread. */
export const gathered = (chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0))
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.byteLength
  }
  return all
}

export type Piece = { readonly bytes: Uint8Array<ArrayBuffer>; readonly done: boolean }

/** Takes chunks until they are `enough` octets or at their end: few large pieces cross a thread better than many small. */
export const nextPiece = async (chunks: AsyncIterator<Uint8Array>, enough: number): Promise<Piece> => {
  const taken: Uint8Array[] = []
  for (let size = 0; size < enough;) {
    const next = await chunks.next()
    if (next.done) return { bytes: gathered(taken), done: true }
    taken.push(next.value)
    size += next.value.byteLength
  }
  return { bytes: gathered(taken), done: false }
}
