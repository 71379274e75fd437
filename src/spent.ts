/** Octets below which a buffer is left to the engine. */
const leastWorth = 16 * 1024

/**
 * Gives the memory of octets that are used up back at once. The engine would do so when it next sweeps its heap, which at the speed of large messages is
 * late: what waits for it costs more memory than what is needed, and each sweep stops the thread. Only who alone has
 * them may say that they are used up: they are gone. Octets that share their buffer with others are left alone.
 */
export const spent = (octets: Uint8Array): void => {
  const { buffer, byteLength } = octets
  if (byteLength < leastWorth || byteLength !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) return
  buffer.transfer(0)
}

/** The same chunks, each of which is used up when the next is asked for. */
export async function* spending(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    yield chunk
    spent(chunk)
  }
}
