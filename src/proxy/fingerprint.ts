import { createHmac, type Hmac, randomBytes } from 'node:crypto'
import { GatewayError } from '../core/errors.ts'
import type { MailboxId } from '../core/ids.ts'
import type { KeyStore } from '../core/ports.ts'

/** Where a proxy finds a message. */
export type Origin = {
  readonly mailboxId: MailboxId
  /** Name of the remote server, in lower case. */
  readonly server: string
  /** The user's name there. */
  readonly user: string
  /** The message's unique id there (RFC 1939 §7). */
  readonly uidl: string
}

/** Keyed digests by which a proxy knows a message again, and nobody who reads the log and lacks the key knows anything. */
export type Fingerprints = {
  /** Under which the content's digest is made. */
  readonly key: Uint8Array
  /** HMAC-SHA256, hex. */
  originOf(origin: Origin): string
  /** HMAC-SHA256 of a message's octets, to be fed with them. */
  content(): Hmac
}

const keyName = 'proxy/fingerprint.key'
const keySize = 32

/** With the key in the key store, which the first to ask makes. Rejects with a storage failure. */
export const openFingerprints = async (keys: KeyStore): Promise<Fingerprints> => {
  const key = (await keys.get(keyName)) ?? (await firstKey(keys))
  if (key?.length !== keySize) throw new GatewayError('storage-failed', { cause: new Error(`${keyName} is no key`) })
  return {
    key,
    originOf: ({ mailboxId, server, user, uidl }) =>
      createHmac('sha256', key)
        .update(JSON.stringify(['origin', mailboxId, server, user, uidl]))
        .digest('hex'),
    content: () => createHmac('sha256', key),
  }
}

const firstKey = async (keys: KeyStore) => {
  const made = randomBytes(keySize)
  return (await keys.add(keyName, made)) ? made : keys.get(keyName)
}
