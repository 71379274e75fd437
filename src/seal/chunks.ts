/** Sees one chunk. The view is valid only during the call: its memory is used again. */
export type Visit = (chunk: Uint8Array) => void

/**
 * Cuts bytes of any chunking into chunks of exactly `size` octets. Holds at most one chunk, in memory that is used
 * again; a whole chunk inside pushed bytes is not copied.
 */
export type Chunks = {
  /** Visits each whole chunk that is followed by at least one more octet. */
  push(bytes: Uint8Array, visit: Visit): void
  /** What is held, 0 to `size` octets; valid until the next `push`. Nothing is held afterwards. */
  take(): Uint8Array
  /** Octets held. */
  held(): number
}

export const cutChunks = (size: number): Chunks => {
  let room: Uint8Array = new Uint8Array(0)
  let used = 0
  const take = () => {
    const chunk = room.subarray(0, used)
    used = 0
    return chunk
  }
  // Most messages are much smaller than a chunk: room grows with what comes.
  const makeRoom = (wanted: number) => {
    if (wanted <= room.length) return
    const grown = Buffer.allocUnsafe(Math.min(size, Math.max(2 * room.length, wanted)))
    grown.set(room.subarray(0, used))
    room = grown
  }
  const hold = (bytes: Uint8Array) => {
    makeRoom(used + bytes.length)
    room.set(bytes, used)
    used += bytes.length
  }
  const push = (bytes: Uint8Array, visit: Visit) => {
    let at = 0
    while (at < bytes.length) {
      if (used === size) visit(take())
      const step = Math.min(size - used, bytes.length - at)
      const piece = bytes.subarray(at, at + step)
      at += step
      if (step === size && at < bytes.length) visit(piece)
      else hold(piece)
    }
  }
  return { push, take, held: () => used }
}
