import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { GatewayError } from '../core/errors.ts'

/**
 * Cursors of pages: where the next one begins, sealed under the gateway's key for the list that it is of. So one that no page
 * has given, or one of another list, is refused, and nobody reads from one where what he may not know of lies. They outlive
 * a restart.
 */
export type Cursors = {
  /** `list` says what was asked for: a cursor is good for the same question only. */
  give(place: string, list: readonly string[]): string
  /** The place. Throws `request-invalid`. */
  take(cursor: string, list: readonly string[]): string
}

/** AES-GCM, NIST SP 800-38D: octets of its nonce and its tag. */
const algorithm = 'aes-256-gcm'
const nonceSize = 12
const tagSize = 16

/** `key` has 32 octets. */
export const cursorsUnder = (key: Uint8Array): Cursors => {
  const asked = (list: readonly string[]) => Buffer.from(JSON.stringify(['cursor', ...list]))
  const opened = (octets: Buffer, list: readonly string[]) => {
    const [nonce, tag] = [octets.subarray(0, nonceSize), octets.subarray(nonceSize, nonceSize + tagSize)]
    const cipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagSize })
      .setAAD(asked(list))
      .setAuthTag(tag)
    return Buffer.concat([cipher.update(octets.subarray(nonceSize + tagSize)), cipher.final()]).toString()
  }
  return {
    give: (place, list) => {
      const nonce = randomBytes(nonceSize)
      // So that the cursor begins with a letter: on a command line, what begins with - is no option's value.
      nonce[0] = (nonce[0] ?? 0) & 0x7f
      const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagSize }).setAAD(asked(list))
      const sealed = Buffer.concat([cipher.update(place), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')
    },
    take: (cursor, list) => {
      try {
        return opened(Buffer.from(cursor, 'base64url'), list)
      } catch (cause) {
        const detail = 'No page of this list has given this cursor: begin again without it'
        throw new GatewayError('request-invalid', { detail, cause })
      }
    },
  }
}
