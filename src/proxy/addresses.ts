import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { networksOf } from '../core/network.ts'

export type AddressParts = {
  /** Networks (`parseNetwork`) that may be dialled although they are not public. */
  readonly networks: readonly string[]
  /** The addresses of this machine's interfaces, now. */
  readonly ownAddresses: () => readonly string[]
  /** The ports on which this gateway listens. */
  readonly ownPorts: () => readonly number[]
}

/** Which addresses may be dialled. */
export type AddressPolicy = { allows(address: string, port: number): boolean }

// The IANA registries of special-purpose addresses (RFC 6890), multicast (RFC 5771) and what is reserved.
const notPublic4 = networksOf([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
])
// All global unicast (RFC 4291 §2.4) lies here; loopback, link-local, unique-local and multicast addresses do not.
const globalUnicast = networksOf(['2000::/3'])
// IETF assignments with Teredo, documentation, 6to4: a tunnel's address may lead to any IPv4 address.
const notPublic6 = networksOf(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'])
const thisMachine = networksOf(['0.0.0.0/8', '127.0.0.0/8', '::/127'])

/**
 * Public addresses may be dialled, others when their network is listed; this machine's own count as not public. What this
 * gateway listens on may never be: it would talk to itself. An IPv6 address that stands for an IPv4 one is judged by that.
 */
export const addressPolicy = ({ networks, ownAddresses, ownPorts }: AddressParts): AddressPolicy => {
  const listed = networksOf(networks)
  return {
    allows: (typed, port) => {
      const address = meant(typed)
      if (address === undefined) return false
      const isOwn = thisMachine.has(address) || ownAddresses().some((own) => meant(own) === address)
      if (isOwn && ownPorts().includes(port)) return false
      return listed.has(address) || (!isOwn && isPublic(address))
    },
  }
}

const isPublic = (address: string) =>
  isIPv4(address) ? !notPublic4.has(address) : globalUnicast.has(address) && !notPublic6.has(address)

/** The address that packets come to, in its one form: the IPv4 address of a mapped (RFC 4291 §2.5.5.2) or NAT64 one. */
const meant = (typed: string): string | undefined => {
  if (isIPv4(typed)) return typed
  if (!isIPv6(typed) || typed.includes('%')) return undefined
  const { address } = new SocketAddress({ address: typed, family: 'ipv6' })
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? nat64(address) ?? address
}

/** RFC 6052 §2.1. The prefix for local use (RFC 8215) is not public whatever it embeds. */
const nat64 = (address: string): string | undefined => {
  const [, high, low] = /^64:ff9b::(?:(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4}))?$/.exec(address) ?? []
  if (!address.startsWith('64:ff9b::') || (low === undefined && address !== '64:ff9b::')) return undefined
  const [a, b] = [Number.parseInt(high ?? '0', 16), Number.parseInt(low ?? '0', 16)]
  return [a >> 8, a & 255, b >> 8, b & 255].join('.')
}
