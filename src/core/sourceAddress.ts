import { isIPv6 } from 'node:net'

const groupsOf = (text: string): readonly string[] => text.split(':').filter((group) => group !== '')

/** The first four groups of an IPv6 address (RFC 4291 §2.2), as numbers in hexadecimal without leading zeros. */
const prefixOf = (address: string): string => {
  const [head = '', tail = ''] = address.split('::')
  const before = groupsOf(head)
  // An IPv4 address at the end stands for two groups.
  const after = groupsOf(tail.replace(/[\d.]+\.\d+$/, '0:0'))
  const zeros = address.includes('::') ? Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0') : []
  const groups = [...before, ...zeros, ...after].slice(0, 4)
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')
}

/** An IPv4 peer of a listener for both families (RFC 4291 §2.5.5.2) is the same source as of one for IPv4. */
export const withoutMapping = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '')

/**
 * Whom a peer's address stands for: itself for IPv4, also where it is mapped into IPv6; its /64 for IPv6, because whoever has
 * one address there has all of them.
 */
export const sourceOf = (remoteAddress: string): string => {
  const address = remoteAddress.replace(/%.*$/, '').toLowerCase()
  if (!isIPv6(address)) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1]
  return mapped ?? `${prefixOf(address)}::/64`
}
