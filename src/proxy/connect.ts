import type { Mailbox } from '../../projections/mailboxes.ts'
import type { ProxySettings } from '../config.ts'
import { asGatewayError, GatewayError } from '../core/errors.ts'
import { networksOf } from '../core/network.ts'
import { sourceOf } from '../core/sourceAddress.ts'
import { formatTarget, isListed, type Target } from '../core/target.ts'
import type { GuessingGuard } from '../keys/guessingGuard.ts'
import { connectionCounts } from '../wire/connectionCounts.ts'
import type { Dial, Dialled } from './dial.ts'
import { parseProxyName } from './name.ts'
import { portsOf, type ProxyService, type RemotePort, usualPorts } from './ports.ts'

/** A mail client that has said who it is. */
export type ProxyClient = {
  /** The user name as typed. */
  readonly name: string
  readonly service: ProxyService
  readonly remoteAddress: string
}

export type ProxiedMailbox = Pick<Mailbox, 'mailboxId' | 'recipient' | 'generation' | 'state' | 'proxy'>

/** A client that may try to log in at a remote server. Exactly one `release` ends it, whatever happened before. */
export type Admitted = {
  readonly mailbox: ProxiedMailbox
  /** Who the client is at the remote server. */
  readonly user: string
  readonly target: Target
  /** Rejects as `Dial` does. */
  dial(signal: AbortSignal): Promise<Dialled>
  /** The remote server has accepted the login, or refused it; at most one of the two, once. */
  succeeded(): void
  failed(): void
  /** The client has no connection with a remote side any more. Idempotent. */
  release(): void
}

export type Proxies = {
  /** Whether any server is listed. */
  readonly on: boolean
  /** Throws `proxy-off` or `proxy-target` for a server that the mailbox's clients may not reach. */
  mustReach(service: ProxyService, target: Target, mailbox: Pick<ProxiedMailbox, 'proxy'>): void
  /**
   * Rejects with `proxy-off`, `proxy-name`, `proxy-mailbox`, `mailbox-suspended`, `proxy-client`, `proxy-target`, `proxy-busy`,
   * `too-many-attempts` or what the views reject with. Nothing has been dialled. Refusals are counted, and those of `dial` and `failed`.
   */
  admit(client: ProxyClient): Promise<Admitted>
}

export type ProxiesParts = {
  readonly settings: Pick<ProxySettings, 'targets' | 'connections' | 'connectionsPerClient'>
  readonly dial: Dial
  /** The mailbox of an id, an address or an alias. */
  readonly resolve: (name: string) => ProxiedMailbox | undefined
  /** Resolves when the mailboxes are known that any gateway has made. */
  readonly current?: (() => Promise<void>) | undefined
  readonly guard: GuessingGuard
  /** Counts a refusal by the client's address. */
  readonly refused: (source: string, kind: string) => void
}

/** Who may reach which remote server by way of this gateway. Asks before anything is dialled. */
export const openProxies = (parts: ProxiesParts): Proxies => {
  const { settings, resolve, current, guard, refused } = parts
  const counts = connectionCounts(() => ({ all: settings.connections, perSource: settings.connectionsPerClient }))

  const mustBeOn = () => {
    if (settings.targets.length === 0) throw new GatewayError('proxy-off')
  }

  const portsFor = (service: ProxyService, target: Target, { proxy: { targets } }: Pick<ProxiedMailbox, 'proxy'>) =>
    listedPorts(service, target, targets.length > 0 ? [settings.targets, targets] : [settings.targets])

  const allowed = async ({ name: typed, service, remoteAddress }: ProxyClient) => {
    mustBeOn()
    const name = parseProxyName(typed)
    if (!name) throw new GatewayError('proxy-name')
    await current?.()
    const mailbox = resolve(name.mailbox)
    if (!mailbox) throw new GatewayError('proxy-mailbox')
    if (mailbox.state === 'suspended') throw new GatewayError('mailbox-suspended')
    const { networks } = mailbox.proxy
    if (networks.length > 0 && !networksOf(networks).has(remoteAddress)) throw new GatewayError('proxy-client')
    const ports = portsFor(service, name, mailbox)
    return { name, mailbox, ports }
  }

  const begin = (source: string, account: string) => {
    const end = counts.begin(source)
    if (!end) throw new GatewayError('proxy-busy')
    if (guard.admit(source, account) === 0) return end
    end()
    throw new GatewayError('too-many-attempts')
  }

  const admit = async (client: ProxyClient): Promise<Admitted> => {
    const { name, mailbox, ports } = await allowed(client)
    const source = sourceOf(client.remoteAddress)
    // Whoever guesses has one account in mind, by whatever mailbox and port.
    const account = `${name.user}%${name.server}`
    const end = begin(source, account)
    let tried = false
    const settle = (how: 'succeeded' | 'failed' | 'abandoned') => {
      if (tried) return
      tried = true
      guard[how](source, account)
    }
    return {
      mailbox,
      user: name.user,
      target: { server: name.server, port: name.port },
      dial: (signal) => counted(client, parts.dial({ server: name.server, ports, signal })),
      succeeded: () => settle('succeeded'),
      failed: () => {
        settle('failed')
        refused(client.remoteAddress, 'proxy-login')
      },
      release: () => {
        settle('abandoned')
        end()
      },
    }
  }

  const counted = <T>({ remoteAddress }: ProxyClient, work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      const { code } = asGatewayError(error)
      if (code !== 'connection-lost') refused(remoteAddress, code)
      throw error
    })

  return {
    on: settings.targets.length > 0,
    mustReach: (service, target, mailbox) => {
      mustBeOn()
      portsFor(service, target, mailbox)
    },
    admit: (client) => counted(client, admit(client)),
  }
}

/** Of the ports to try those that each of the lists has. */
const listedPorts = (
  service: ProxyService,
  { server, port: named }: Target,
  lists: readonly (readonly string[])[],
): readonly RemotePort[] => {
  const ports = portsOf(service, named).filter(({ port }) =>
    lists.every((patterns) => isListed(patterns, { server, port }, usualPorts)),
  )
  if (ports.length > 0) return ports
  const target = formatTarget({ server, port: named })
  const detail = `This gateway may not connect to ${target}: check the user name, or ask the administrator to list that server`
  throw new GatewayError('proxy-target', { detail })
}
