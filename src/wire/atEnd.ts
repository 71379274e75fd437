/** The same octets; when all have come, `then` is called, and what it throws comes in place of their end. */
export async function* atEnd(body: AsyncIterable<Uint8Array>, then: () => void) {
  yield* body
  then()
}
