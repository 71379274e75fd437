import type { Config } from './config.ts'
import type { Fact } from './core/events.ts'
import type { Clock, KeyStore } from './core/ports.ts'
import type { Certificate } from './tls/certificate.ts'
import { certificateInFiles } from './tls/files.ts'
import { certificate } from './tls/selfSigned.ts'

export type CertificateParts = {
  readonly keys: KeyStore
  readonly clock: Clock
  readonly ownAddresses: () => readonly string[]
}

/** The certificate that a configuration asks for. Rejects with `start-refused`, or with a storage failure. */
export const configuredCertificate =
  ({ keys, clock, ownAddresses }: CertificateParts) =>
  async ({
    tls,
    gateway: { domain },
  }: Pick<Config, 'tls' | 'gateway'>): Promise<Certificate & { readonly created: boolean }> =>
    tls.mode === 'files'
      ? { ...certificateInFiles(tls, clock.now()), created: false }
      : certificate({ keys, domain, clock, addresses: ownAddresses() })

/** Records a gateway's certificates, one that it has recorded last not again. */
export const certificateRecords = (keys: KeyStore, node: string) => {
  const name = `tls/recorded-${node}`
  return {
    isLast: async ({ fingerprint }: Certificate) =>
      Buffer.from((await keys.get(name)) ?? []).toString() === fingerprint,
    add: async ({ fingerprint, names, notAfter }: Certificate, record: (fact: Fact) => Promise<unknown>) => {
      await record({ type: 'CertificateInstalled', data: { fingerprint, names, notAfter: notAfter.toISOString() } })
      // Not noted, it is recorded again at the next start.
      await keys.put(name, Buffer.from(fingerprint)).catch(() => undefined)
    },
  }
}
