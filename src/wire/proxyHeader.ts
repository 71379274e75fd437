import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { withoutMapping } from '../core/sourceAddress.ts'

/** What the first octets of a connection say, after HAProxy's specification of the PROXY protocol, versions 1 and 2. */
export type ProxyHeader =
  /** It may become a header yet. */
  | { readonly is: 'partial' }
  | { readonly is: 'invalid' }
  | {
      readonly is: 'header'
      /** The client's address; undefined when the balancer speaks for itself, or does not know it. */
      readonly source: string | undefined
      /** Octets of the header: what comes behind them is the protocol's. */
      readonly length: number
    }

const partial: ProxyHeader = { is: 'partial' }
const invalid: ProxyHeader = { is: 'invalid' }

/** §2.1: the longest line of version 1, with its CRLF. */
const longestLine = 107
/** Octets of a header of version 2, additions (TLVs) and all. The addresses need 52; the rest is names and certificates' facts. */
const longestBinary = 4096

const lineStart = Buffer.from('PROXY ')
const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n')
/** Signature, version and command, family, length (§2.2). */
const fixedPart = 16

/** Judges the octets that have come so far, from the first on, as soon as they can be judged. */
export const parseProxyHeader = (octets: Buffer): ProxyHeader => {
  if (begins(octets, lineStart)) return octets.length < lineStart.length ? partial : parseLine(octets)
  if (begins(octets, signature)) return octets.length < fixedPart ? early(octets) : parseBinary(octets)
  return invalid
}

/** As far as both go. */
const begins = (octets: Buffer, start: Buffer) => {
  const length = Math.min(octets.length, start.length)
  return octets.subarray(0, length).equals(start.subarray(0, length))
}

const parseLine = (octets: Buffer): ProxyHeader => {
  const end = octets.subarray(0, longestLine).indexOf('\r\n')
  if (end < 0) return octets.length < longestLine ? partial : invalid
  const length = end + 2
  const line = octets.toString('latin1', 0, end)
  if (/^PROXY UNKNOWN(?: [^\r\n]*)?$/.test(line)) return { is: 'header', source: undefined, length }
  const [, family, source = '', destination = ''] = addressLine.exec(line) ?? []
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined
  if (isAddress?.(source) !== true || !isAddress(destination)) return invalid
  return { is: 'header', source: canonical(source), length }
}

const port = String.raw`(?:0|[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])`
/** A zone (`%eth0`) means nothing on another machine. */
const addressLine = new RegExp(String.raw`^PROXY (TCP[46]) ([\d.a-fA-F:]+) ([\d.a-fA-F:]+) ${port} ${port}$`)

/** A wrong version or command needs no further octet. */
const early = (octets: Buffer): ProxyHeader =>
  octets.length > signature.length && !commands.has(octets[signature.length] ?? 0) ? invalid : partial

const local = 0x20
const proxied = 0x21
const commands: ReadonlySet<number> = new Set([local, proxied])

/** Octets of the addresses and ports of each family that a TCP connection can have come by. */
const families: ReadonlyMap<number, number> = new Map([
  [0x00, 0], // AF_UNSPEC
  [0x11, 12], // IPv4
  [0x21, 36], // IPv6
  [0x31, 216], // a UNIX socket of the balancer's own machine
])

const parseBinary = (octets: Buffer): ProxyHeader => {
  const command = octets.readUInt8(12)
  const family = octets.readUInt8(13)
  const length = fixedPart + octets.readUInt16BE(14)
  if (!commands.has(command) || length > longestBinary) return invalid
  const header = (source?: string): ProxyHeader => (octets.length < length ? partial : { is: 'header', source, length })
  // §2.2: what a LOCAL header says of addresses is discarded.
  if (command === local) return header()
  const needed = families.get(family)
  if (needed === undefined || length < fixedPart + needed) return invalid
  if (octets.length < length) return partial
  if (family === 0x11) return header([...octets.subarray(16, 20)].join('.'))
  if (family === 0x21) return header(canonical(octets.toString('hex', 16, 32).replaceAll(/.{4}(?=.)/g, '$&:')))
  return header()
}

/** One form for one address, as sockets have it; an IPv4 address that is mapped into IPv6 is that address. */
const canonical = (address: string) =>
  isIPv4(address) ? address : withoutMapping(new SocketAddress({ address, family: 'ipv6' }).address)
