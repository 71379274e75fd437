import { inspect } from 'node:util'
import { bech32 } from '@scure/base'
import { AgeError, type AgeErrorCode } from './ageError.ts'
import { decryptFileKey, encryptFileKey } from './fileKey.ts'
import { decodeBase64, encodeBase64, type Stanza } from './header.ts'
import {
  generateEphemeral,
  generatePrivateKey,
  hkdf,
  importPrivateKey,
  importPublicKey,
  type KeyObject,
  publicBytesOf,
  sharedSecret,
} from './provider.ts'

const keySize = 32
const stanzaType = 'X25519'
const recipientPrefix = 'age'
const identityPrefix = 'AGE-SECRET-KEY-'

/** A public key, parsed once; keep it, parsing costs as much as sealing to it. */
export type Recipient = { readonly text: string; readonly bytes: Uint8Array; readonly publicKey: KeyObject }

/** A private key that no log, snapshot or inspection can print. */
export class Identity {
  readonly #privateKey: KeyObject
  readonly recipientBytes: Uint8Array
  constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey
    this.recipientBytes = publicBytesOf(privateKey)
  }
  /** Undefined when the share has low order. */
  sharedSecret(share: Uint8Array): Uint8Array | undefined {
    return sharedSecret(this.#privateKey, importPublicKey(share))
  }
  toString(): string {
    return '[identity]'
  }
  toJSON(): string {
    return '[identity]'
  }
  [inspect.custom](): string {
    return '[identity]'
  }
}

const encodeKey = (prefix: string, bytes: Uint8Array): string => bech32.encodeFromBytes(prefix, bytes)

/** Bech32 (BIP 173) of 32 octets under `prefix`, in the prefix's own case. */
const decodeKey = (text: string, prefix: string, code: AgeErrorCode): Uint8Array => {
  const decoded = bech32.decodeUnsafe(text)
  const bytes = decoded && bech32.fromWordsUnsafe(decoded.words)
  // The library's own errors would quote the text.
  if (bytes?.length !== keySize || !text.startsWith(`${prefix}1`) || decoded?.prefix !== prefix.toLowerCase())
    throw new AgeError(code)
  return bytes
}

/**
 * Whether the octets are how X25519 itself would write this key. Any other spelling would be sealed to without an error
 * and opened by nobody, because the recipient's octets go into the wrapping key.
 */
const isCanonical = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes).reverse().toString('hex') < `7${'f'.repeat(61)}ed`

/** Throws `recipient-malformed` for whatever is not an X25519 recipient that can be sealed to. */
export const parseRecipient = (text: string): Recipient => {
  const bytes = decodeKey(text, recipientPrefix, 'recipient-malformed')
  const publicKey = importPublicKey(bytes)
  const hasLowOrder = sharedSecret(generateEphemeral().privateKey, publicKey) === undefined
  if (hasLowOrder || !isCanonical(bytes)) throw new AgeError('recipient-malformed')
  return { text, bytes, publicKey }
}

/** Throws `identity-malformed`, with nothing of the text in it. `text` is the identity alone, without a line end. */
export const parseIdentity = (text: string): Identity =>
  new Identity(importPrivateKey(decodeKey(text, identityPrefix, 'identity-malformed')))

export const recipientOf = (identity: Identity): string => encodeKey(recipientPrefix, identity.recipientBytes)

export const generateIdentity = async (): Promise<{ readonly identity: string; readonly recipient: string }> => {
  const identity = encodeKey(identityPrefix, await generatePrivateKey()).toUpperCase()
  return { identity, recipient: recipientOf(parseIdentity(identity)) }
}

const wrappingKey = (secret: Uint8Array, share: Uint8Array, recipient: Uint8Array): Uint8Array =>
  hkdf(secret, Buffer.concat([share, recipient]), 'age-encryption.org/v1/X25519')

/** age-encryption.org/v1, "The X25519 recipient type". */
export const wrapFileKey = (fileKey: Uint8Array, { bytes, publicKey }: Recipient): Stanza => {
  const { privateKey, share } = generateEphemeral()
  const secret = sharedSecret(privateKey, publicKey)
  if (secret === undefined) throw new AgeError('recipient-malformed')
  return {
    args: [stanzaType, encodeBase64(share)],
    body: encryptFileKey(fileKey, wrappingKey(secret, share, bytes)),
  }
}

const parseShare = ({ args: [, ...rest] }: Stanza): Uint8Array => {
  const [share, ...excess] = rest
  if (share === undefined || excess.length > 0) throw new AgeError('header-malformed')
  const bytes = decodeBase64(share)
  if (bytes.length !== keySize) throw new AgeError('header-malformed')
  return bytes
}

const unwrapStanza = (identity: Identity, stanza: Stanza): Uint8Array | undefined => {
  const share = parseShare(stanza)
  const secret = identity.sharedSecret(share)
  if (secret === undefined) throw new AgeError('header-malformed')
  return decryptFileKey(stanza, wrappingKey(secret, share, identity.recipientBytes))
}

/** The file key; throws `no-identity-matched`, or `header-malformed` for an X25519 stanza that is not one. */
export const unwrapFileKey = (stanzas: readonly Stanza[], identities: readonly Identity[]): Uint8Array => {
  const ours = stanzas.filter(({ args }) => args[0] === stanzaType)
  for (const identity of identities)
    for (const stanza of ours) {
      const fileKey = unwrapStanza(identity, stanza)
      if (fileKey) return fileKey
    }
  throw new AgeError('no-identity-matched')
}
