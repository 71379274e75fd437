import { X509Certificate } from 'node:crypto'
import type { ConnectionOptions } from 'node:tls'
import type { Secret } from '../core/secret.ts'

/** Where the API of a gateway is, and how that gateway is told from anybody else. */
export type Place = {
  /** Its origin. */
  readonly url: string
  readonly token: Secret
  /** Sent along with the token. */
  readonly headers: Readonly<Record<string, string>>
  /** What lets nobody else answer. Rejects when it cannot be known. */
  trust(): Promise<ConnectionOptions>
  /** What is said to the user when nobody answers, somebody else does, or the token is refused. */
  readonly says: {
    nobody(cause: Error): string
    another(cause: Error): string
    readonly refused: string
  }
}

/** Why `pinnedTo` refused what answered. */
export const notTheCertificate = 'not the certificate'

/** The very certificate, whatever address it is met at. */
export const pinnedTo = (certificate: string): ConnectionOptions => {
  const pinned = new X509Certificate(certificate)
  return {
    ca: certificate,
    // One of an authority comes without the authority's own.
    allowPartialTrustChain: true,
    checkServerIdentity: (_, { raw }) => (raw.equals(pinned.raw) ? undefined : new Error(notTheCertificate)),
  }
}
