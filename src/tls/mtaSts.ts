import { createHash } from 'node:crypto'
import type { Config } from '../config.ts'
import { type Documents, serveDocuments } from '../wire/documents.ts'
import type { ServedPair } from '../wire/serveTls.ts'

type Policy = Pick<Config, 'mtaSts' | 'gateway'>

/** Where senders look (RFC 8461 §3.3). */
export const policyPath = '/.well-known/mta-sts.txt'

/** The hosts that senders may deliver to. */
export const policyHosts = ({ mtaSts, gateway }: Policy): readonly string[] =>
  mtaSts.mx.length > 0 ? mtaSts.mx : [gateway.domain]

/** The policy (RFC 8461 §3.2). */
export const policyText = (config: Policy): string =>
  [
    'version: STSv1',
    `mode: ${config.mtaSts.mode}`,
    ...policyHosts(config).map((host) => `mx: ${host}`),
    `max_age: ${config.mtaSts.maxAge}`,
  ]
    .map((line) => `${line}\r\n`)
    .join('')

/** The TXT record at `_mta-sts.` and the domain (RFC 8461 §3.1): its id changes whenever the policy does. */
export const policyRecord = (config: Policy): string =>
  `v=STSv1; id=${createHash('sha256').update(policyText(config)).digest('hex').slice(0, 32)};`

/** Serves the policy. Rejects with `start-refused`. */
export const servePolicy = (config: Policy, port: number, tls: () => ServedPair): Promise<Documents> => {
  const policy = policyText(config)
  return serveDocuments({
    host: config.mtaSts.host,
    port,
    tls,
    find: (path) => (path === policyPath ? policy : undefined),
  })
}
