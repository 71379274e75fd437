import { AgeError } from './ageError.ts'
import type { Header, Stanza } from './header.ts'
import { decrypt, encrypt, hkdf, hmac, randomBytes, tagSize, timingSafeEqual } from './provider.ts'

const fileKeySize = 16
const noSalt = new Uint8Array(0)
// Every wrapping key is used once, so its nonce may be constant.
const zeroNonce = new Uint8Array(12)

/** The secret of one file, from which its MAC and payload keys come. */
export const newFileKey = (): Uint8Array => randomBytes(fileKeySize)

/** A stanza's body: the file key under a wrapping key that is used for nothing else. */
export const encryptFileKey = (fileKey: Uint8Array, wrappingKey: Uint8Array): Uint8Array =>
  Buffer.concat(encrypt(wrappingKey, zeroNonce, fileKey))

/** The file key of a stanza's body; undefined when the wrapping key is not the one it was wrapped under. */
export const decryptFileKey = ({ body }: Stanza, wrappingKey: Uint8Array): Uint8Array | undefined => {
  // The size is checked first, so that one body cannot be made that opens under several keys.
  if (body.length !== fileKeySize + tagSize) throw new AgeError('header-malformed')
  return decrypt(wrappingKey, zeroNonce, body)
}

export const headerMac = (fileKey: Uint8Array, covered: Uint8Array): Uint8Array =>
  hmac(hkdf(fileKey, noSalt, 'header'), covered)

export const verifyHeaderMac = (fileKey: Uint8Array, { mac, covered }: Header): void => {
  if (!timingSafeEqual(headerMac(fileKey, covered), mac)) throw new AgeError('mac-mismatch')
}

export const payloadKey = (fileKey: Uint8Array, nonce: Uint8Array): Uint8Array => hkdf(fileKey, nonce, 'payload')
