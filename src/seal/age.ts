import { AgeError } from './ageError.ts'
import { newFileKey } from './fileKey.ts'
import { openWith, sealUnder, type Transform } from './file.ts'
import { type Identity, type Recipient, unwrapFileKey, wrapFileKey } from './x25519.ts'

export { AgeError, type AgeErrorCode } from './ageError.ts'

/** Plaintext in, a sealed file out; holds at most one chunk (64 KiB). */
export type Sealing = Transform

/** A sealed file in, plaintext out: only what authenticated. Nothing is whole until `final` has returned. */
export type Opening = Transform

/**
 * Seals to every one of `recipients` (at least one): an age v1 file that any one of their identities opens. The header
 * is in what the first call returns.
 */
export const startSealing = (recipients: readonly Recipient[]): Sealing => {
  if (recipients.length === 0) throw new AgeError('recipient-malformed')
  const fileKey = newFileKey()
  const stanzas = recipients.map((recipient) => wrapFileKey(fileKey, recipient))
  return sealUnder(fileKey, stanzas)
}

/** The whole sealed file of a plaintext that is in memory. */
export const sealBytes = (recipients: readonly Recipient[], bytes: Uint8Array): Uint8Array => {
  const sealing = startSealing(recipients)
  return Buffer.concat([...sealing.update(bytes), ...sealing.final()])
}

/**
 * Opens with whichever of `identities` matches. Throws an `AgeError`: `no-identity-matched` for a file that is sealed
 * to others, `header-…`, `mac-mismatch` and `payload-…` for one that is not what was sealed. A fault that is found
 * behind plaintext is thrown by the call after the one that returns the plaintext, at the latest by `final`.
 */
export const startOpening = (identities: readonly Identity[]): Opening =>
  openWith((stanzas) => unwrapFileKey(stanzas, identities))
