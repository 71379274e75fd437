import type { Config } from './config.ts'
import type { PeerProtocol } from './core/events.ts'

export type Address = {
  readonly protocol: PeerProtocol | 'https' | 'acme' | 'mta-sts'
  readonly host: string
  readonly port: number
}

/** Where a protocol is spoken; port 0 lets the system choose. */
export type Listener<P> = { readonly protocol: P; readonly host: string; readonly port: number }

const listenersOf = <P>(wanted: readonly (readonly [P, string, number | 'off'])[]): readonly Listener<P>[] =>
  wanted.flatMap(([protocol, host, port]) => (port === 'off' ? [] : [{ protocol, host, port }]))

export const smtpListeners = ({ smtp }: Config) =>
  listenersOf<'smtp' | 'smtps'>([
    ['smtp', smtp.host, smtp.port],
    ['smtps', smtp.host, smtp.tlsPort],
  ])

export const pop3Listeners = ({ pop3, pop3s }: Config) =>
  listenersOf<'pop3' | 'pop3s'>([
    ['pop3', pop3.host, pop3.port],
    ['pop3s', pop3.host, pop3s.port],
  ])

/** While no server is listed there is nothing that mail clients could send through. */
export const submissionListeners = ({ submission, smtps, proxy }: Config) =>
  proxy.targets.length === 0
    ? []
    : listenersOf<'submission' | 'submissions'>([
        ['submission', submission.host, submission.port],
        ['submissions', submission.host, smtps.port],
      ])

/** All of them: somebody answers there while the log is away. */
export const standInListeners = (config: Config) => [
  ...smtpListeners(config),
  ...submissionListeners(config),
  ...pop3Listeners(config),
  ...listenersOf<'https'>([['https', config.admin.host, config.admin.port]]),
]
