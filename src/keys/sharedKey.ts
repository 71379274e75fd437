import { randomBytes } from 'node:crypto'
import { GatewayError } from '../core/errors.ts'
import type { KeyStore } from '../core/ports.ts'

const keySize = 32

/** A key of 32 octets in the key store, which the first to ask makes. Rejects with a storage failure. */
export const sharedKey = async (keys: KeyStore, name: string): Promise<Uint8Array> => {
  const key = (await keys.get(name)) ?? (await firstKey(keys, name))
  if (key?.length !== keySize) throw new GatewayError('storage-failed', { cause: new Error(`${name} is no key`) })
  return key
}

const firstKey = async (keys: KeyStore, name: string) => {
  const made = randomBytes(keySize)
  return (await keys.add(name, made)) ? made : keys.get(name)
}
