import type { Config, Port } from './config.ts'
import type { PeerProtocol } from './core/events.ts'

type Protocol = PeerProtocol | 'https' | 'acme' | 'mta-sts'

/** Where a protocol is spoken; port 0 lets the system choose. */
export type Listener<P extends Protocol> = { readonly protocol: P; readonly host: string; readonly port: number }

export type Address = Listener<Protocol>

type Wanted = { readonly protocol: Protocol; readonly setting: string; readonly host: string; readonly port: Port }

/** Every listener that there may be, with the setting that says its port. */
const wanted = ({ smtp, submission, smtps, pop3, pop3s, admin, proxy, tls, acme, mtaSts }: Config) => {
  const unless = (needless: boolean, port: Port): Port => (needless ? 'off' : port)
  // While no server is listed there is nothing that mail clients could send through.
  const alone = proxy.targets.length === 0
  return [
    { protocol: 'smtp', setting: 'smtp.port', host: smtp.host, port: smtp.port },
    { protocol: 'smtps', setting: 'smtp.tlsPort', host: smtp.host, port: smtp.tlsPort },
    { protocol: 'submission', setting: 'submission.port', host: submission.host, port: unless(alone, submission.port) },
    { protocol: 'submissions', setting: 'smtps.port', host: submission.host, port: unless(alone, smtps.port) },
    { protocol: 'pop3', setting: 'pop3.port', host: pop3.host, port: pop3.port },
    { protocol: 'pop3s', setting: 'pop3s.port', host: pop3.host, port: pop3s.port },
    { protocol: 'https', setting: 'admin.port', host: admin.host, port: admin.port },
    { protocol: 'acme', setting: 'acme.port', host: acme.host, port: unless(tls.mode !== 'acme', acme.port) },
    { protocol: 'mta-sts', setting: 'mtaSts.port', host: mtaSts.host, port: mtaSts.port },
  ] as const satisfies readonly Wanted[]
}

/** Those that the configuration opens. */
export const configuredListeners = (config: Config) =>
  wanted(config).flatMap(({ protocol, setting, host, port }) =>
    port === 'off' ? [] : [{ protocol, setting, host, port }],
  )

const listenersOf =
  <P extends Protocol>(...protocols: readonly P[]) =>
  (config: Config): readonly Listener<P>[] =>
    configuredListeners(config).flatMap(({ protocol: found, host, port }) => {
      const protocol = protocols.find((one) => one === found)
      return protocol === undefined ? [] : [{ protocol, host, port }]
    })

export const smtpListeners = listenersOf('smtp', 'smtps')
export const submissionListeners = listenersOf('submission', 'submissions')
export const pop3Listeners = listenersOf('pop3', 'pop3s')

/** Where somebody answers while the log is away. */
export const standInListeners = listenersOf('smtp', 'smtps', 'submission', 'submissions', 'pop3', 'pop3s', 'https')

/** Two listeners cannot have one port: what is wrong, a sentence each. The system would name only the second. */
export const portClashes = (config: Config): readonly string[] => {
  const fixed = configuredListeners(config).filter(({ port }) => port !== 0)
  return fixed.flatMap(({ setting, host, port }, index) =>
    fixed
      .slice(index + 1)
      .filter((other) => other.port === port && overlap(host, other.host))
      .map((other) => `${setting} and ${other.setting} are both ${port}: each listener needs a port of its own`),
  )
}

const everywhere = (host: string) => host === '::' || host === '0.0.0.0'
const overlap = (a: string, b: string) => a === b || everywhere(a) || everywhere(b)
