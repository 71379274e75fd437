import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  scrypt,
  timingSafeEqual,
  type webcrypto as nodeTypes,
} from 'node:crypto'

/*
 * The one home of the primitives. What runs per message is synchronous and straight from node:crypto, what runs per
 * mailbox or certificate goes through `webcrypto`; the numbers are in ops/docs/adr/0001-primitives-on-the-hot-path.md.
 */

/** The one WebCrypto of the gateway. Loaded when it is first needed: most threads and most days make no identity. */
let loading: Promise<nodeTypes.Crypto> | undefined
export const webcrypto = (): Promise<nodeTypes.Crypto> =>
  // The library's types are the DOM's; its objects are what Node's types say.
  (loading ??= import('@peculiar/webcrypto').then(({ Crypto }) => new Crypto() as unknown as nodeTypes.Crypto))

export { type KeyObject, randomBytes, timingSafeEqual }

/** Octets of a ChaCha20-Poly1305 tag. */
export const tagSize = 16

const asymmetricKeyType = 'x25519'

export const importPublicKey = (bytes: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.from(bytes), format: 'raw-public', asymmetricKeyType })

export const importPrivateKey = (scalar: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.from(scalar), format: 'raw-private', asymmetricKeyType })

/** The 32 octets of the public key that belongs to a private one. */
export const publicBytesOf = (privateKey: KeyObject): Uint8Array =>
  createPublicKey(privateKey).export({ format: 'raw-public' })

/** The 32 octets of a new X25519 private key. */
export const generatePrivateKey = async (): Promise<Uint8Array> => {
  // The types know only the single key of symmetric algorithms; X25519 always comes as a pair.
  const { subtle } = await webcrypto()
  const pair = (await subtle.generateKey('X25519', true, ['deriveBits'])) as unknown as nodeTypes.CryptoKeyPair
  const { d } = await subtle.exportKey('jwk', pair.privateKey)
  if (d === undefined) throw new Error('the generated key has no private part')
  return Buffer.from(d, 'base64url')
}

export const generateEphemeral = (): { readonly privateKey: KeyObject; readonly share: Uint8Array } => {
  const { privateKey, publicKey } = generateKeyPairSync(asymmetricKeyType)
  return { privateKey, share: publicKey.export({ format: 'raw-public' }) }
}

/** X25519 (RFC 7748 §6.1). Undefined when the public key has low order, so that the secret would be all zero. */
export const sharedSecret = (privateKey: KeyObject, publicKey: KeyObject): Uint8Array | undefined => {
  try {
    return diffieHellman({ privateKey, publicKey })
  } catch {
    return undefined
  }
}

/** HKDF-SHA-256 (RFC 5869), 32 octets. */
export const hkdf = (key: Uint8Array, salt: Uint8Array, info: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', key, salt, info, 32))

export const hmac = (key: Uint8Array, data: Uint8Array): Uint8Array => createHmac('sha256', key).update(data).digest()

/** ChaCha20-Poly1305 (RFC 8439 §2.8): ciphertext and tag, apart, so that nothing is copied to join them. */
export const encrypt = (key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array): [Uint8Array, Uint8Array] => {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: tagSize })
  const ciphertext = cipher.update(plaintext)
  cipher.final()
  return [ciphertext, cipher.getAuthTag()]
}

/** The plaintext of ciphertext and tag; undefined when it does not authenticate. */
export const decrypt = (key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Uint8Array | undefined => {
  const end = sealed.length - tagSize
  if (end < 0) return undefined
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: tagSize })
  decipher.setAuthTag(sealed.subarray(end))
  const plaintext = decipher.update(sealed.subarray(0, end))
  try {
    decipher.final()
    return plaintext
  } catch {
    return undefined
  }
}

const blockSize = 8

/** scrypt (RFC 7914) with r = 8 and p = 1, 32 octets, off the calling thread. Takes 2^(logN + 10) octets of memory. */
export const stretch = (passphrase: string, salt: Uint8Array, logN: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const N = 2 ** logN
    // Node's default limit is 32 MiB; scrypt needs 128 N r octets and some blocks beside them.
    const maxmem = 128 * blockSize * (N + 16)
    scrypt(passphrase, salt, 32, { N, r: blockSize, p: 1, maxmem }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    )
  })
