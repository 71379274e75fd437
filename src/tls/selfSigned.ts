import type { Clock, KeyStore } from '../core/ports.ts'
import { type Certificate, certificateOf, fits } from './certificate.ts'

export type SelfSigned = Certificate & {
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

/** Each certificate with its key, PEM, in one file, so that a pair is whole; the newest has the highest number. */
const prefix = 'tls/self-signed-'
const nameOf = (number: number) => `${prefix}${number}.pem`
const numberOf = (name: string) => Number(/^\d{1,9}(?=\.pem$)/.exec(name.slice(prefix.length))?.[0] ?? 0)

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
 * The gateway's self-signed certificate: the newest in the key store, or a new one when there is none, it expires within
 * 30 days, does not name the domain, or does not fit its key. New addresses alone are no reason to renew. Gateways that
 * share the key store and start at once agree on one.
 */
export const certificate = async (wish: CertificateWish): Promise<SelfSigned> => {
  const { keys, domain, clock, addresses } = wish
  const newest = Math.max(0, ...(await keys.list(prefix)).map(numberOf))
  const { key, cert } = pairIn(utf8(await keys.get(nameOf(newest))))
  const now = clock.now()
  if (isUsable(key, cert, domain, now)) return described(key, cert, false)
  const [notBefore, notAfter] = [new Date(now.getTime() - backdated), new Date(now.getTime() + lifetime)]
  // Loaded only when needed: the library takes a third of a second, and most starts find their certificate.
  const { issue } = await import('./issue.ts')
  const fresh = await issue({ names: namesFor(domain, addresses), notBefore, notAfter })
  const added = await keys.add(nameOf(newest + 1), Buffer.from(fresh.key + fresh.cert))
  return added ? described(fresh.key, fresh.cert, true) : certificate(wish)
}

const pairIn = (text: string) => {
  const at = text.indexOf('-----BEGIN CERTIFICATE-----')
  return { key: text.slice(0, Math.max(0, at)), cert: text.slice(at) }
}

const utf8 = (value: Uint8Array | undefined) => Buffer.from(value ?? []).toString('utf8')

const namesFor = (domain: string, addresses: readonly string[]) => [
  ...new Set([domain, 'localhost', '127.0.0.1', '::1', ...addresses.filter((address) => !isLinkLocal(address))]),
]

// RFC 3927, RFC 4291 §2.5.6
const isLinkLocal = (address: string) => /^(169\.254\.|fe[89ab])/i.test(address)

const isUsable = (key: string, cert: string, domain: string, now: Date) => {
  try {
    const { notAfter, names } = certificateOf({ key, cert })
    return notAfter.getTime() - now.getTime() > margin && names.includes(domain) && fits({ key, cert })
  } catch {
    // Missing or damaged files are no certificate.
    return false
  }
}

const described = (key: string, cert: string, created: boolean): SelfSigned => ({
  ...certificateOf({ key, cert }),
  created,
})
