/** What is spoken with a remote server. */
export type ProxyService = 'smtp' | 'pop3'

export type RemotePort = {
  readonly port: number
  /** TLS from the first octet, after a command in clear, or whichever of the two the server turns out to speak. */
  readonly tls: 'implicit' | 'upgrade' | 'either'
}

/** In the order in which they are tried: RFC 8314 §3.2 and §3.3 prefer TLS from the first octet. */
const usual: Readonly<Record<ProxyService, readonly RemotePort[]>> = {
  smtp: [
    { port: 465, tls: 'implicit' },
    { port: 587, tls: 'upgrade' },
  ],
  pop3: [
    { port: 995, tls: 'implicit' },
    { port: 110, tls: 'upgrade' },
  ],
}
const relay: RemotePort = { port: 25, tls: 'upgrade' }
const known = [...usual.smtp, ...usual.pop3, relay]

/** The ports of a server that are listed by its name alone. */
export const usualPorts: readonly number[] = known.map(({ port }) => port)

/** The ports to try for a service: the one that was named, else the usual ones. */
export const portsOf = (service: ProxyService, named: number | undefined): readonly RemotePort[] =>
  named === undefined ? usual[service] : [known.find(({ port }) => port === named) ?? { port: named, tls: 'either' }]
