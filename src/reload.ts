import { changesBetween, type Config, configSha256, withSettings } from './config.ts'
import { asGatewayError } from './core/errors.ts'
import type { Fact } from './core/events.ts'
import type { Logger } from './core/ports.ts'
import type { Certificate } from './tls/certificate.ts'

export type ReloadParts = {
  /** What is in effect. */
  readonly config: Config
  readonly certificate: () => Certificate
  /** The certificate of a configuration. Rejects with `start-refused`. */
  readonly read: (config: Config) => Promise<Certificate>
  /** Each resolves when it is durable. */
  readonly record: (fact: Fact) => Promise<unknown>
  readonly recordCertificate: (certificate: Certificate) => Promise<unknown>
  /** Puts it into effect, for what begins from now on. */
  readonly apply: (config: Config, certificate: Certificate) => void
  readonly logger: Logger
}

/**
 * Takes from a configuration what a running gateway can take, and the certificate as it is now; resolves with what is in effect
 * then. What needs a restart is said in the log. When `load` or the certificate is refused, or it cannot be recorded,
 * nothing changes, and the log says why. One at a time; never rejects.
 */
export const createReload = ({ config, certificate, read, record, recordCertificate, apply, logger }: ReloadParts) => {
  let effective = config
  const reload = async (load: () => Config): Promise<void> => {
    const wanted = load()
    const { taken, left } = changesBetween(effective, wanted)
    const next = withSettings(effective, wanted, taken)
    const found = await read(next)
    const isNew = found.fingerprint !== certificate().fingerprint
    if (taken.length > 0) await record({ type: 'GatewayReconfigured', data: { configSha256: configSha256(next) } })
    if (isNew) await recordCertificate(found)
    apply(next, found)
    effective = next
    logger.info({ changed: taken, newCertificate: isNew }, 'The configuration was read again and is in effect')
    if (left.length > 0) logger.warn({ settings: left }, 'What has changed in these settings needs a restart')
  }
  let last = Promise.resolve()
  return (load: () => Config): Promise<Config> => {
    last = last
      .then(() => reload(load))
      .catch((error: unknown) => {
        const { message: reason } = asGatewayError(error)
        logger.error({ err: error, reason }, 'The configuration could not be read again: nothing has changed')
      })
    return last.then(() => effective)
  }
}
