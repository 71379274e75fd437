import type { Config } from './config.ts'
import type { Fact } from './core/events.ts'
import type { Clock, KeyStore } from './core/ports.ts'
import { acmeStore } from './tls/acme/store.ts'
import type { Certificate, Certificates } from './tls/certificate.ts'
import { certificatesInFiles } from './tls/files.ts'
import { certificate } from './tls/selfSigned.ts'

export type CertificateParts = {
  readonly keys: KeyStore
  readonly clock: Clock
  readonly ownAddresses: () => readonly string[]
}

/** What peers are to be shown. */
export type Wanted = {
  readonly certificates: Certificates
  /** The gateway has just made it for itself. */
  readonly created: boolean
  /** The gateway has made it for itself, now or earlier. */
  readonly selfSigned: boolean
}

/**
 * The certificates that a configuration asks for; until an ordered one is there, the gateway's own. Rejects with
 * `start-refused`, or with a storage failure.
 */
export const configuredCertificates = ({ keys, clock, ownAddresses }: CertificateParts) => {
  const ordered = async ({ tls, acme }: Pick<Config, 'tls' | 'acme'>): Promise<readonly Certificate[]> => {
    if (tls.mode === 'files') return certificatesInFiles(tls, clock.now())
    const found = tls.mode === 'acme' ? (await acmeStore(keys, acme.directory).newest()).certificate : undefined
    return found ? [found] : []
  }
  return async (config: Pick<Config, 'tls' | 'acme' | 'gateway'>): Promise<Wanted> => {
    const [first, ...others] = await ordered(config)
    if (first) return { certificates: [first, ...others], created: false, selfSigned: false }
    const made = await certificate({ keys, domain: config.gateway.domain, clock, addresses: ownAddresses() })
    return { certificates: [made], created: made.created, selfSigned: true }
  }
}

/** Records a gateway's certificates, those that it has recorded last not again. */
export const certificateRecords = (keys: KeyStore, node: string) => {
  const name = `tls/recorded-${node}`
  const known = async () => Buffer.from((await keys.get(name)) ?? []).toString().split('\n') // prettier-ignore
  return {
    add: async (certificates: Certificates, record: (fact: Fact) => Promise<unknown>) => {
      const before = await known()
      for (const { fingerprint, names, notAfter } of certificates.filter(
        ({ fingerprint }) => !before.includes(fingerprint),
      ))
        await record({ type: 'CertificateInstalled', data: { fingerprint, names, notAfter: notAfter.toISOString() } })
      // Not noted, they are recorded again at the next start.
      await keys.put(name, Buffer.from(fingerprintsOf(certificates))).catch(() => undefined)
    },
  }
}

const fingerprintsOf = (certificates: Certificates) => certificates.map(({ fingerprint }) => fingerprint).join('\n')

/** Whether peers would be shown the same. */
export const isSame = (some: Certificates, others: Certificates) => fingerprintsOf(some) === fingerprintsOf(others)

/** The one of them that expires first. */
export const firstToExpire = (certificates: Certificates): Certificate =>
  certificates.reduce((first, next) => (next.notAfter < first.notAfter ? next : first))
