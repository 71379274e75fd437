import type { Config } from '../config.ts'
import { configuredListeners } from '../listeners.ts'
import type { Dialect } from './startTls.ts'

/** What can be checked, and what is said there before TLS. */
const dialects = {
  smtp: 'smtp',
  smtps: undefined,
  submission: 'smtp',
  submissions: undefined,
  pop3: 'pop3',
  pop3s: undefined,
  'mta-sts': undefined,
} as const satisfies Readonly<Record<string, Dialect | undefined>>

export type CheckedProtocol = keyof typeof dialects

export type Target = {
  readonly protocol: CheckedProtocol
  readonly host: string
  readonly port: number
  readonly startTls: Dialect | undefined
}

/** What is spoken at these ports everywhere. */
const wellKnown: ReadonlyMap<number, CheckedProtocol> = new Map([
  [25, 'smtp'],
  [587, 'submission'],
  [465, 'submissions'],
  [110, 'pop3'],
  [995, 'pop3s'],
  [443, 'mta-sts'],
])

/** The listeners for peers that the configuration opens; a port that the system chooses is not known. */
export const configuredTargets = (config: Config): readonly Target[] =>
  configuredListeners(config).flatMap(({ protocol, host, port }) =>
    isProtocol(protocol) && port > 0 ? [{ protocol, host: reachable(host), port, startTls: dialects[protocol] }] : [],
  )

/**
 * `25`, or `smtp:2600`: a port, and what is spoken there unless the configuration or the world knows. Undefined for what is
 * neither.
 */
export const targetAt = (text: string, host: string, configured: readonly Target[]): Target | undefined => {
  const [, said, digits] = /^(?:([a-z0-9-]+):)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (!(port > 0 && port < 65_536)) return undefined
  const protocol = said ?? configured.find((target) => target.port === port)?.protocol ?? wellKnown.get(port)
  return protocol !== undefined && isProtocol(protocol)
    ? { protocol, host, port, startTls: dialects[protocol] }
    : undefined
}

const isProtocol = (word: string): word is CheckedProtocol => Object.hasOwn(dialects, word)

export const protocols = Object.keys(dialects)

/** Who listens on every address is reached at the loopback. */
const reachable = (host: string) => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host)
