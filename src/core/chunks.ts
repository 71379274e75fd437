/** Chunks that are kept side by side: each costs some two hundred octets beside its own, and it is the peer that says how small they are. */
const mostChunks = 128

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

/** Puts a chunk behind those that are kept; when there are many, one takes their place. */
export const keepChunk = (kept: Uint8Array[], chunk: Uint8Array): void => {
  if (kept.length >= mostChunks) kept.splice(0, kept.length, gathered(kept))
  kept.push(chunk)
}
