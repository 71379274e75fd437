import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { AgeError, type AgeErrorCode } from '../../src/seal/ageError.ts'
import type { Transform } from '../../src/seal/file.ts'
import { generateIdentity, type Identity, parseIdentity, parseRecipient } from '../../src/seal/x25519.ts'

/** What a transform returned, and the fault that ended it. */
export type Outcome = { readonly released: Buffer; readonly fault: AgeErrorCode | undefined }

/** The code of the `AgeError` that was thrown; anything else is thrown on. */
export const codeOf = (error: unknown): AgeErrorCode => {
  if (error instanceof AgeError) return error.code
  throw error
}

export const faultOf = (action: () => unknown): AgeErrorCode | undefined => {
  try {
    action()
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

export const faultOfAsync = (action: Promise<unknown>): Promise<AgeErrorCode | undefined> =>
  action.then(() => undefined, codeOf)

/** Runs a transform to its end or its first fault. */
export const run = (transform: Transform, pieces: Iterable<Uint8Array>): Outcome => {
  const released: Uint8Array[] = []
  try {
    for (const piece of pieces) released.push(...transform.update(piece))
    released.push(...transform.final())
    return { released: Buffer.concat(released), fault: undefined }
  } catch (error) {
    return { released: Buffer.concat(released), fault: codeOf(error) }
  }
}

/** The bytes in pieces of the given sizes, over and over. */
export function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? bytes.length
    yield bytes.subarray(at, at + size)
    at += size
  }
}

/** The same arbitrary bytes for the same size and seed. */
export const bytesOf = (size: number, seed: number): Buffer =>
  createHash('shake256', { outputLength: size }).update(String(seed)).digest()

const chunk = 64 * 1024

/** Plaintexts around everything that matters to chunks. */
export const anyPlaintext = fc
  .tuple(
    fc.oneof(
      fc.integer({ min: 0, max: 200 }),
      fc.integer({ min: 0, max: 3 * chunk }),
      fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: -2, max: 2 })).map(([n, by]) => n * chunk + by),
    ),
    fc.nat(1_000_000),
  )
  .map(([size, seed]) => bytesOf(size, seed))

export const anySizes = fc.array(
  fc.oneof(
    fc.integer({ min: 300, max: 2000 }),
    fc.integer({ min: 1, max: 3 * chunk }),
    fc.constantFrom(chunk, chunk + 16),
  ),
  { minLength: 1, maxLength: 5 },
)

export const newPair = async () => {
  const { identity, recipient } = await generateIdentity()
  return { identity: parseIdentity(identity) satisfies Identity, recipient: parseRecipient(recipient) }
}
