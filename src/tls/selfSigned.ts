import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIPv6, SocketAddress } from 'node:net'
import type { Clock, KeyStore } from '../core/ports.ts'

export type SelfSigned = {
  /** PKCS #8, PEM. */
  readonly key: string
  /** PEM. */
  readonly cert: string
  /** SHA-256 of the certificate: upper-case hexadecimal octets with colons, as `openssl x509 -fingerprint` prints. */
  readonly fingerprint: string
  /** Domain names and IP addresses that it is for. */
  readonly names: readonly string[]
  readonly notAfter: Date
  /** Made just now, not found in the key store. */
  readonly created: boolean
}

export type CertificateWish = {
  readonly keys: KeyStore
  /** The gateway's domain, in lower case. */
  readonly domain: string
  readonly clock: Clock
  /** The machine's own IP addresses; link-local ones are left out. */
  readonly addresses: readonly string[]
}

export const keyName = 'tls/self-signed.key'
export const certificateName = 'tls/self-signed.crt'

const day = 86_400_000
/**
 * Ten years: nobody vouches for this certificate, so its peers know it by its fingerprint alone, and each renewal would
 * lock them out without making anything safer.
 */
const lifetime = 3652 * day
/** A gateway runs for months: one that starts with less than this left would come to present an expired certificate. */
const margin = 30 * day
/** Peers' clocks may be behind. */
const backdated = 1 * day

/**
 * The gateway's self-signed certificate: the one in the key store, or a new one when there is none, it expires within
 * 30 days, does not name the domain, or does not fit its key. New addresses alone are no reason to renew.
 */
export const certificate = async ({ keys, domain, clock, addresses }: CertificateWish): Promise<SelfSigned> => {
  const [key, cert] = [utf8(await keys.get(keyName)), utf8(await keys.get(certificateName))]
  const now = clock.now()
  if (isUsable(key, cert, domain, now)) return described(key, cert, false)
  const [notBefore, notAfter] = [new Date(now.getTime() - backdated), new Date(now.getTime() + lifetime)]
  // Loaded only when needed: the library takes a third of a second, and most starts find their certificate.
  const { issue } = await import('./issue.ts')
  const fresh = await issue({ names: namesFor(domain, addresses), notBefore, notAfter })
  // A stop between the two leaves a certificate that does not fit its key: the next start issues anew.
  await keys.put(keyName, Buffer.from(fresh.key))
  await keys.put(certificateName, Buffer.from(fresh.cert))
  return described(fresh.key, fresh.cert, true)
}

const utf8 = (value: Uint8Array | undefined) => Buffer.from(value ?? []).toString('utf8')

const namesFor = (domain: string, addresses: readonly string[]) => [
  ...new Set([domain, 'localhost', '127.0.0.1', '::1', ...addresses.filter((address) => !isLinkLocal(address))]),
]

// RFC 3927, RFC 4291 §2.5.6
const isLinkLocal = (address: string) => /^(169\.254\.|fe[89ab])/i.test(address)

const isUsable = (key: string, cert: string, domain: string, now: Date) => {
  try {
    const x509 = new X509Certificate(cert)
    const left = x509.validToDate.getTime() - now.getTime()
    return left > margin && namesOf(x509).includes(domain) && x509.checkPrivateKey(createPrivateKey(key))
  } catch {
    // Missing or damaged files are no certificate.
    return false
  }
}

const described = (key: string, cert: string, created: boolean): SelfSigned => {
  const x509 = new X509Certificate(cert)
  return { key, cert, fingerprint: x509.fingerprint256, names: namesOf(x509), notAfter: x509.validToDate, created }
}

/** Node prints `DNS:localhost, IP Address:0:0:0:0:0:0:0:1`; no name of ours needs its quotes. */
const namesOf = (x509: X509Certificate) =>
  (x509.subjectAltName ?? '')
    .split(', ')
    .map((name) => name.replace(/^(DNS|IP Address):/, ''))
    .map((name) => (isIPv6(name) ? new SocketAddress({ address: name, family: 'ipv6' }).address : name))
