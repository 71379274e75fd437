import { AgeError } from './ageError.ts'
import { headerMac, payloadKey, verifyHeaderMac } from './fileKey.ts'
import { encodeHeader, type Header, headerEnd, parseHeader, type Stanza } from './header.ts'
import { openPayload, type Payload, sealPayload } from './payload.ts'
import { randomBytes } from './provider.ts'

/**
 * A synchronous transform. Given bytes may be used again by the caller; returned bytes are the caller's. `final` must
 * be called once, and what it returns is the last; after it, or after either has thrown, both throw.
 */
export type Transform = {
  update(bytes: Uint8Array): readonly Uint8Array[]
  final(): readonly Uint8Array[]
}

const nonceSize = 16

/** What stands before the payload's chunks. */
export type Preamble = { readonly header: Header; readonly nonce: Uint8Array; readonly end: number }

/** The preamble at the beginning of `bytes`; undefined when it goes on beyond them. Authenticates nothing. */
export const readPreamble = (bytes: Uint8Array): Preamble | undefined => {
  const headerSize = headerEnd(bytes)
  if (headerSize === undefined) return undefined
  const header = parseHeader(bytes.subarray(0, headerSize))
  const end = headerSize + nonceSize
  return bytes.length < end ? undefined : { header, nonce: bytes.subarray(headerSize, end), end }
}

/** Checks the header's MAC before any key for the payload is made. */
export const payloadOf = (fileKey: Uint8Array, { header, nonce }: Preamble, emit: (bytes: Uint8Array) => void) => {
  verifyHeaderMac(fileKey, header)
  return openPayload(payloadKey(fileKey, nonce), emit)
}

/**
 * Keeps a transform's end: nothing is taken after `final` (it would seal other plaintext under a nonce that was used)
 * or after a fault. A call that finds the fault behind output returns the output, and the next one throws.
 */
const keepEnd = ({ update, final }: Payload, ready: Uint8Array[]): Transform => {
  let end: Error | undefined
  const run = (step: () => void) => {
    if (end) throw end
    try {
      step()
    } catch (error) {
      end = error instanceof Error ? error : new Error('the transform failed', { cause: error })
      if (ready.length === 0) throw end
    }
    return ready.splice(0)
  }
  return {
    update: (bytes) => run(() => update(bytes)),
    final: () => {
      const rest = run(final)
      if (end) throw end
      end = new Error('the transform is over')
      return rest
    },
  }
}

/** Seals under a new file key that `stanzas` wrap. The header is in what the first call returns. */
export const sealUnder = (fileKey: Uint8Array, stanzas: readonly Stanza[]): Transform => {
  const nonce = randomBytes(nonceSize)
  const header = encodeHeader(stanzas, (covered) => headerMac(fileKey, covered))
  const ready: Uint8Array[] = [Buffer.concat([header, nonce])]
  const payload = sealPayload(payloadKey(fileKey, nonce), (bytes) => ready.push(bytes))
  return keepEnd(payload, ready)
}

/**
 * Opens what was sealed, with the file key that `unwrap` finds in the stanzas. Returns only plaintext that
 * authenticated, and the same plaintext before the same fault whatever the chunking of the input.
 */
export const openWith = (unwrap: (stanzas: readonly Stanza[]) => Uint8Array): Transform => {
  const ready: Uint8Array[] = []
  let seen: Uint8Array = new Uint8Array(0)
  let payload: Payload | undefined
  const update = (bytes: Uint8Array) => {
    if (payload) {
      payload.update(bytes)
      return
    }
    const head = seen.length === 0 ? bytes : Buffer.concat([seen, bytes])
    const preamble = readPreamble(head)
    if (preamble === undefined) {
      seen = Uint8Array.from(head)
      return
    }
    payload = payloadOf(unwrap(preamble.header.stanzas), preamble, (plaintext) => ready.push(plaintext))
    payload.update(head.subarray(preamble.end))
  }
  const final = () => {
    if (payload === undefined) throw new AgeError('header-truncated')
    payload.final()
  }
  return keepEnd({ update, final }, ready)
}
