import { isIP } from 'node:net'

// The connection string of EventStoreDB, as far as its safety goes. The client's own parser prints what it does not
// know, password and all, so nothing that is unknown here gets that far.

const pattern = /^esdb(?:\+discover)?:\/\/(?:(?<login>[^@/?]+)@)?(?<hosts>[^@/?]+)\/?(?:\?(?<options>.*))?$/
const knownOptions = new Set([
  ...['tls', 'tlscafile', 'usercertfile', 'userkeyfile', 'connectionname', 'defaultdeadline', 'maxdiscoverattempts'],
  ...['discoveryinterval', 'gossiptimeout', 'nodepreference', 'keepaliveinterval', 'keepalivetimeout'],
])

/** A password with a `?` in it that is not escaped looks like options, and has the `@` of the login behind it. */
const mayBeSecret = (options: string) => options.includes('@')

const parsed = (url: string) => {
  const { login, hosts, options } = pattern.exec(url)?.groups ?? {}
  if (hosts === undefined) return undefined
  const given = new Map(
    (options ?? '').split('&').flatMap((option) => {
      const [name = '', value = ''] = option.split('=')
      return name === '' ? [] : [[name.toLowerCase().replaceAll(/[_-]/g, ''), value] as const]
    }),
  )
  return { login, hosts: hosts.split(','), options: given, shown: !mayBeSecret(options ?? '') }
}

const nothing = { login: undefined, hosts: [], options: new Map<string, string>(), shown: false }

export const isStoreUrl = (url: string) => parsed(url) !== undefined
export const hasLogin = (url: string) => parsed(url)?.login !== undefined

/** One sentence for each reason not to use a connection string; none repeats what may be secret. */
export const storeUrlProblems = (url: string): readonly string[] => {
  const { login, hosts, options, shown } = parsed(url) ?? nothing
  const names = hosts.map((host) => host.replace(/:\d+$/, ''))
  const tls = options.get('tls') !== 'false'
  const unknown = [...options.keys()].filter((name) => !knownOptions.has(name))
  const preference = options.get('nodepreference')?.toLowerCase() ?? 'leader'
  return [
    ...unknown.map((name) => `log.url has an option that is not known or not supported${shown ? `: ${name}` : ''}`),
    ...(hosts.every((host) => /^[A-Za-z0-9.-]+(?::\d{1,5})?$/.test(host))
      ? []
      : ['log.url must name hosts as name:port']),
    ...(login === undefined || /^[^:]+:[^:]+$/.test(login)
      ? []
      : [
          'log.url must give its credentials as user:password, with : @ / and ? in them escaped as %3A %40 %2F and %3F',
        ]),
    ...(tls || names.every(isLoopback) ? [] : ['log.url must use TLS: only on this machine may tls=false be said']),
    ...(tls || login === undefined ? [] : ['log.url has credentials and tls=false: without TLS they are not sent']),
    ...(tls && names.some((name) => isIP(name) !== 0)
      ? ['log.url must name hosts by their names, not by IP addresses: with TLS certificates are checked for them']
      : []),
    ...(preference === 'leader'
      ? []
      : ['log.url must prefer the leader: another node may not know yet what was written']),
  ]
}

const isLoopback = (name: string) => name === 'localhost' || (isIP(name) === 4 && name.startsWith('127.'))
