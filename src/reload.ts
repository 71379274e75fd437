import { isSame, type Wanted } from './certificates.ts'
import { changesBetween, type Config, configSha256, withSettings } from './config.ts'
import { asGatewayError } from './core/errors.ts'
import type { Fact } from './core/events.ts'
import type { Logger } from './core/ports.ts'
import type { Certificates } from './tls/certificate.ts'

export type ReloadParts = {
  /** What is in effect. */
  readonly config: Config
  readonly certificates: () => Certificates
  /** The certificates of a configuration. Rejects with `start-refused`. */
  readonly read: (config: Config) => Promise<Pick<Wanted, 'certificates'>>
  /** Who vouches for clients in a configuration. Throws `start-refused`. */
  readonly authorities: (config: Config) => readonly string[]
  /** Each resolves when it is durable. */
  readonly record: (fact: Fact) => Promise<unknown>
  readonly recordCertificates: (certificates: Certificates) => Promise<unknown>
  /** Puts it into effect, for what begins from now on. */
  readonly apply: (config: Config, certificates: Certificates, authorities: readonly string[]) => void
  readonly logger: Logger
}

export type Reload = {
  /**
   * Takes from a configuration what a running gateway can take, and the certificates as they are now; resolves with what is in
   * effect then. What needs a restart is said in the log. When `load` or a certificate is refused, or it cannot be recorded,
   * nothing changes, and the log says why. One at a time; never rejects.
   */
  configuration(load: () => Config): Promise<Config>
  /** The same of the certificates alone. */
  certificates(): Promise<void>
}

export const createReload = (parts: ReloadParts): Reload => {
  const { certificates, read, record, recordCertificates, apply, logger } = parts
  let effective = parts.config
  const install = async (next: Config, taken: readonly string[]) => {
    const found = await read(next)
    const authorities = parts.authorities(next)
    const isNew = !isSame(found.certificates, certificates())
    if (taken.length > 0) await record({ type: 'GatewayReconfigured', data: { configSha256: configSha256(next) } })
    if (isNew) await recordCertificates(found.certificates)
    apply(next, found.certificates, authorities)
    effective = next
    return isNew
  }
  const reconfigure = async (load: () => Config) => {
    const wanted = load()
    const { taken, left } = changesBetween(effective, wanted)
    const newCertificate = await install(withSettings(effective, wanted, taken), taken)
    logger.info({ changed: taken, newCertificate }, 'The configuration was read again and is in effect')
    if (left.length > 0) logger.warn({ settings: left }, 'What has changed in these settings needs a restart')
  }
  const renew = async () => {
    if (await install(effective, [])) logger.info({}, 'New connections are shown a new certificate')
  }
  let last = Promise.resolve()
  const inTurn = (work: () => Promise<void>, failure: string) =>
    (last = last.then(work).catch((error: unknown) => {
      logger.error({ err: error, reason: asGatewayError(error).message }, failure)
    }))
  return {
    configuration: async (load) => {
      await inTurn(() => reconfigure(load), 'The configuration could not be read again: nothing has changed')
      return effective
    },
    certificates: () => inTurn(renew, 'The certificate could not be read again: nothing has changed'),
  }
}
