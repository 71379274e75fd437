import { createCipheriv, createHmac, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto'

// What a client of TLS 1.2 reckons (RFC 5246), for ECDHE over X25519 with AES128-GCM-SHA256 alone.

export const u8 = (value: number) => Buffer.of(value)
export const u16 = (value: number) => Buffer.of(value >> 8, value & 255)
export const u24 = (value: number) => Buffer.of(value >> 16, (value >> 8) & 255, value & 255)
export const join = (...parts: readonly Uint8Array[]) => Buffer.concat(parts)

export const recordOf = (type: number, content: Buffer) => join(u8(type), u16(0x0303), u16(content.length), content)

/** RFC 5246 §5. */
export const prf = (secret: Buffer, label: string, seed: Buffer, length: number): Buffer => {
  const hmac = (data: Buffer) => createHmac('sha256', secret).update(data).digest()
  const labelled = join(Buffer.from(label), seed)
  let [a, made] = [labelled, Buffer.alloc(0)]
  while (made.length < length) {
    a = hmac(a)
    made = join(made, hmac(join(a, labelled)))
  }
  return made.subarray(0, length)
}

/** With the key in a ServerKeyExchange (RFC 8422 §5.4), which nobody verifies. */
export const agreement = (serverKeyExchange: Buffer) => {
  const own = generateKeyPairSync('x25519')
  const theirs = serverKeyExchange.subarray(4, 4 + (serverKeyExchange[3] ?? 0)).toString('base64url')
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: theirs }, format: 'jwk' })
  return {
    publicKey: Buffer.from(own.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'),
    premaster: diffieHellman({ privateKey: own.privateKey, publicKey }),
  }
}

/** Makes records under the client's key of a key block (RFC 5288 §3). */
export const sealing = (keyBlock: Buffer) => {
  const [key, salt] = [keyBlock.subarray(0, 16), keyBlock.subarray(32, 36)]
  let sequence = 0n
  return (type: number, content: Buffer): Buffer => {
    const explicit = Buffer.alloc(8)
    explicit.writeBigUInt64BE(sequence++)
    const cipher = createCipheriv('aes-128-gcm', key, join(salt, explicit))
    cipher.setAAD(join(explicit, u8(type), u16(0x0303), u16(content.length)))
    return recordOf(type, join(explicit, cipher.update(content), cipher.final(), cipher.getAuthTag()))
  }
}
