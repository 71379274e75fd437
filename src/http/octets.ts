import { Readable } from 'node:stream'

/**
 * A stream of `chunks` whose first chunk has already arrived: what fails before it is thrown here, and can still be
 * answered; what fails later destroys the stream, and with it the connection, so that nobody takes a part for the whole.
 */
export const begun = async (chunks: AsyncIterable<Uint8Array>): Promise<Readable> => {
  const iterator = chunks[Symbol.asyncIterator]()
  const first = await iterator.next()
  const stream = Readable.from(from(first, iterator), { objectMode: false })
  // A client that leaves before the first octet was read: a generator that has not begun does not run its end.
  stream.once('close', () => void iterator.return?.().catch(() => undefined))
  return stream
}

async function* from(first: IteratorResult<Uint8Array, unknown>, iterator: AsyncIterator<Uint8Array, unknown>) {
  for (let next = first; next.done !== true; next = await iterator.next()) yield next.value
}

/** A response schema for octets; streams are not serialised by it. */
export const octets = (type: string, description: string) => ({
  description,
  content: { [type]: { schema: { type: 'string', contentMediaType: type } } },
})
