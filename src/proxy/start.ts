import { createSecureContext } from 'node:tls'
import type { ProxySettings } from '../config.ts'
import type { Logger } from '../core/ports.ts'
import { addressPolicy, type AddressParts } from './addresses.ts'
import { remoteContext } from '../tls/authorities.ts'
import { openProxies, type Proxies, type ProxiesParts } from './connect.ts'
import { dialler } from './dial.ts'

export type StartParts = Pick<ProxiesParts, 'resolve' | 'current' | 'guard' | 'refused'> &
  Pick<AddressParts, 'ownAddresses' | 'ownPorts'> & {
    readonly settings: ProxySettings
    readonly logger: Logger
  }

/** The proxies as configured. Throws `start-refused` when the file of authorities is no good; while they are off it is not read. */
export const startProxies = ({ settings, logger, ownAddresses, ownPorts, ...parts }: StartParts): Proxies => {
  const { targets, networks, caFile, dialTimeout } = settings
  if (targets.some((target) => /^\*(?:$|:)/.test(target)))
    logger.warn({}, 'proxy.targets lists *: mail clients may have this gateway connect to any public server')
  const dial = dialler({
    policy: addressPolicy({ networks, ownAddresses, ownPorts }),
    context: targets.length > 0 ? remoteContext({ setting: 'proxy.caFile', file: caFile }) : createSecureContext(),
    timeout: dialTimeout * 1000,
  })
  return openProxies({ settings, dial, ...parts })
}
