import type { Clock, KeyStore } from '../core/ports.ts'
import { type Certificate, certificateOf } from './certificate.ts'
import { pairFiles } from './pairFiles.ts'

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
  const files = pairFiles(keys, 'tls/self-signed-')
  const newest = await files.newest()
  const now = clock.now()
  if (newest.certificate && isUsable(newest.certificate, domain, now)) return { ...newest.certificate, created: false }
  const [notBefore, notAfter] = [new Date(now.getTime() - backdated), new Date(now.getTime() + lifetime)]
  // Loaded only when needed: the library takes a third of a second, and most starts find their certificate.
  const { issue } = await import('./issue.ts')
  const fresh = await issue({ names: namesFor(domain, addresses), notBefore, notAfter })
  const added = await files.add(newest.number + 1, fresh)
  return added ? { ...certificateOf(fresh), created: true } : certificate(wish)
}

const namesFor = (domain: string, addresses: readonly string[]) => [
  ...new Set([domain, 'localhost', '127.0.0.1', '::1', ...addresses.filter((address) => !isLinkLocal(address))]),
]

// RFC 3927, RFC 4291 §2.5.6
const isLinkLocal = (address: string) => /^(169\.254\.|fe[89ab])/i.test(address)

const isUsable = ({ notAfter, names }: Certificate, domain: string, now: Date) =>
  notAfter.getTime() - now.getTime() > margin && names.includes(domain)
