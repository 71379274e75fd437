import { BlockList, isIPv4, isIPv6, SocketAddress } from 'node:net'

/** A range of IP addresses in its one form, `192.0.2.0/24`; a single address is a range of one. */
export const parseNetwork = (text: string): string | undefined => {
  const [, typed = '', digits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = isIPv4(typed) ? 'ipv4' : isIPv6(typed) ? 'ipv6' : undefined
  if (family === undefined) return undefined
  const most = family === 'ipv4' ? 32 : 128
  const prefix = digits === undefined ? most : Number(digits)
  return prefix > most ? undefined : `${new SocketAddress({ address: typed, family }).address}/${prefix}`
}

/** Ranges of `parseNetwork`, to ask whether an address lies in one of them. */
export const networksOf = (ranges: readonly string[]): { has(address: string): boolean } => {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/')
    list.addSubnet(address, Number(prefix), isIPv4(address) ? 'ipv4' : 'ipv6')
  }
  return { has: (address) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6') }
}
