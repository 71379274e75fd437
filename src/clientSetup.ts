import { GatewayError } from './core/errors.ts'
import { formatTarget, type Target } from './core/target.ts'

/** A port of the gateway's, and what is spoken there. */
export type Listening = { readonly protocol: string; readonly port: number }

export type SetupWish = {
  /** Who the user is at the remote servers; undefined for settings that each user completes. */
  readonly user: string | undefined
  /** The mailbox's id or alias, as it is to stand in the user name. */
  readonly mailbox: string
  readonly pop3: Target
  readonly smtp: Target
}

/** One of the two accounts of a mail program. */
export type ClientAccount = {
  /** The gateway. */
  readonly host: string
  readonly port: number
  readonly security: 'tls' | 'starttls'
  readonly userName: string
  /** Whose password it is that belongs to the user name. */
  readonly remote: string
}

/** What has to be entered into a mail program. */
export type ClientSetup = { readonly receiving: ClientAccount; readonly sending: ClientAccount }

/** What stands in place of the user where none is known: Thunderbird replaces it, a person understands it. */
export const eachUser = '%EMAILADDRESS%'

/** Throws `request-invalid` when the gateway has no listener for mail clients to receive from or to send to. */
export const clientSetup = (host: string, listening: readonly Listening[], wish: SetupWish): ClientSetup => {
  const { user = eachUser, mailbox, pop3, smtp } = wish
  const account = (protocols: readonly [tls: string, starttls: string], target: Target): ClientAccount => {
    const remote = formatTarget(target)
    const userName = `${user}%${remote}%${mailbox}`
    return { host, ...portFor(protocols, listening), userName, remote }
  }
  return { receiving: account(['pop3s', 'pop3'], pop3), sending: account(['submissions', 'submission'], smtp) }
}

/** RFC 8314 §3: TLS from the first octet where it is to be had. */
const portFor = ([tls, starttls]: readonly [string, string], listening: readonly Listening[]) => {
  const portOf = (protocol: string) => listening.find((one) => one.protocol === protocol)?.port
  const [first, second] = [portOf(tls), portOf(starttls)]
  if (first !== undefined) return { port: first, security: 'tls' as const }
  if (second !== undefined) return { port: second, security: 'starttls' as const }
  throw new GatewayError('request-invalid', { detail: `No listener for mail clients is open: ${tls} or ${starttls}` })
}

/** The same for a person to read, whatever the mail program. */
export const setupText = ({ receiving, sending }: ClientSetup): string =>
  [accountText('Receiving (POP3)', receiving), accountText('Sending (SMTP)', sending)].join('\n')

const accountText = (title: string, { host, port, security, userName, remote }: ClientAccount) => `${title}
  Server          ${host}
  Port            ${port}
  Security        ${security === 'tls' ? 'SSL/TLS' : 'STARTTLS'}
  User name       ${userName.replace(eachUser, 'YOUR-USER-NAME')}
  Password        your password at ${remote}
  Authentication  normal password, or OAuth2
`

/** The same as Thunderbird's autoconfiguration file, version 1.1: https://wiki.mozilla.org/Thunderbird:Autoconfiguration:ConfigFileFormat */
export const setupAutoconfig = ({ receiving, sending }: ClientSetup): string => `<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="${escaped(domainOf(receiving))}">
    <domain>${escaped(domainOf(receiving))}</domain>
    <displayName>${escaped(`${receiving.remote} by way of ${receiving.host}`)}</displayName>
    <incomingServer type="pop3">${serverXml(receiving)}
    </incomingServer>
    <outgoingServer type="smtp">${serverXml(sending)}
    </outgoingServer>
  </emailProvider>
</clientConfig>
`

const serverXml = ({ host, port, security, userName }: ClientAccount) => `
      <hostname>${escaped(host)}</hostname>
      <port>${port}</port>
      <socketType>${security === 'tls' ? 'SSL' : 'STARTTLS'}</socketType>
      <authentication>password-cleartext</authentication>
      <username>${escaped(userName)}</username>`

/** The domain of the user's address; without one, the remote server's name. */
const domainOf = ({ userName, remote }: ClientAccount) =>
  /@([^@%]+)%/.exec(userName)?.[1] ?? remote.replace(/:\d+$/, '')

const escaped = (text: string) => text.replaceAll(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`)
