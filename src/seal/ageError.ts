// prettier-ignore
const texts = {
  'recipient-malformed': 'not an age X25519 recipient (age1…)',
  'identity-malformed': 'not an age X25519 identity (AGE-SECRET-KEY-1…)',
  'header-malformed': 'the header is not a well-formed age v1 header',
  'header-truncated': 'the file ends inside its header',
  'no-identity-matched': 'the file is not sealed to any of the given identities',
  'passphrase-wrong': 'the passphrase does not open the file',
  'work-factor-too-high': 'the scrypt work factor is higher than allowed',
  'mac-mismatch': 'the header was changed after it was written',
  'payload-corrupt': 'a chunk of the payload was changed, moved or cut short',
  'payload-truncated': 'the payload ends before its final chunk',
} as const satisfies Record<string, string>

/**
 * What is wrong with a recipient, an identity or a sealed file. `no-identity-matched` and `passphrase-wrong` speak of
 * the key that was tried; the others, of the thing itself. A change in a stanza cannot always be told from a wrong key.
 */
export type AgeErrorCode = keyof typeof texts

/** A refusal of the age format. Its message holds no part of what was given. */
export class AgeError extends Error {
  readonly code: AgeErrorCode
  constructor(code: AgeErrorCode, options?: { readonly cause?: unknown }) {
    super(texts[code], options)
    this.name = 'AgeError'
    this.code = code
  }
}
