import { AgeError } from './ageError.ts'
import { cutChunks } from './chunks.ts'
import { decrypt, encrypt, tagSize } from './provider.ts'

/** Octets of plaintext in every chunk but the last. */
export const chunkSize = 64 * 1024
const sealedChunkSize = chunkSize + tagSize

type Emit = (bytes: Uint8Array) => void

/** One direction of the payload. `update` and `final` hand what is ready to the `emit` they were made with. */
export type Payload = { readonly update: (bytes: Uint8Array) => void; readonly final: () => void }

/** Eleven octets count the chunks, the twelfth marks the last one. */
const chunkNonce = (index: number, isLast: boolean): Uint8Array => {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(index, 5, 6)
  nonce[11] = isLast ? 1 : 0
  return nonce
}

/** Encrypts the payload (age-encryption.org/v1, "Payload"; the STREAM construction). `key` must be used once only. */
export const sealPayload = (key: Uint8Array, emit: Emit): Payload => {
  const chunks = cutChunks(chunkSize)
  let index = 0
  const seal = (chunk: Uint8Array, isLast: boolean) => {
    const [ciphertext, tag] = encrypt(key, chunkNonce(index, isLast), chunk)
    index += 1
    if (ciphertext.length > 0) emit(ciphertext)
    emit(tag)
  }
  return {
    update: (bytes) => chunks.push(bytes, (chunk) => seal(chunk, false)),
    final: () => seal(chunks.take(), true),
  }
}

/**
 * Decrypts the payload, chunk by chunk as each is complete; emits nothing that did not authenticate at its place. After
 * it has thrown it must not be used again. `final` throws unless the last chunk was seen and nothing came after it.
 */
export const openPayload = (key: Uint8Array, emit: Emit): Payload => {
  const chunks = cutChunks(sealedChunkSize)
  let index = 0
  let isOver = false
  const openAs = (chunk: Uint8Array, isLast: boolean): boolean => {
    const plaintext = decrypt(key, chunkNonce(index, isLast), chunk)
    // Only an empty payload ends in an empty chunk.
    if (plaintext === undefined || (plaintext.length === 0 && index > 0)) return false
    index += 1
    isOver = isLast
    if (plaintext.length > 0) emit(plaintext)
    return true
  }
  const open = (chunk: Uint8Array) => {
    // Whether a full chunk is the last only its tag tells.
    if (isOver || !(openAs(chunk, false) || openAs(chunk, true))) throw new AgeError('payload-corrupt')
  }
  return {
    update: (bytes) => {
      chunks.push(bytes, open)
      if (chunks.held() === sealedChunkSize) open(chunks.take())
      if (isOver && chunks.held() > 0) throw new AgeError('payload-corrupt')
    },
    final: () => {
      if (isOver) return
      const rest = chunks.take()
      if (rest.length < tagSize) throw new AgeError('payload-truncated')
      if (!openAs(rest, true)) throw new AgeError('payload-corrupt')
    },
  }
}
