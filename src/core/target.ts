import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { normaliseDomain } from './address.ts'
import { hostNameOf } from './hostName.ts'

/** A remote server as somebody named it. */
export type Target = {
  /** A host name in lower case, or an IP address without brackets. */
  readonly server: string
  /** Undefined: the protocol's own ports. */
  readonly port: number | undefined
}

export type ServerPort = Target & { readonly port: number }

const split = /^(?<server>\[[^\]]*\]|[^:]*)(?::(?<port>\d{1,5}))?$/

const parse = (text: string, serverOf: (text: string) => string | undefined): Target | undefined => {
  const { server: typed, port: digits } = split.exec(text)?.groups ?? {}
  const server = typed === undefined ? undefined : serverOf(typed)
  const port = digits === undefined ? undefined : Number(digits)
  if (server === undefined || (port !== undefined && (port < 1 || port > 65_535))) return undefined
  return { server, port }
}

const serverNamed = (text: string): string | undefined => {
  if (isIPv4(text)) return text
  const literal = /^\[([^\]%]*)\]$/.exec(text)?.[1]
  if (literal === undefined) return hostNameOf(normaliseDomain(text))
  return isIPv6(literal) ? new SocketAddress({ address: literal, family: 'ipv6' }).address : undefined
}

/** `server` or `server:port`; the server a host name, an IPv4 address, or an IPv6 address in brackets. */
export const parseTarget = (text: string): Target | undefined => parse(text, serverNamed)

/** As `parseTarget` reads it. */
export const formatTarget = ({ server, port }: Target): string =>
  `${isIPv6(server) ? `[${server}]` : server}${port === undefined ? '' : `:${port}`}`

const patternServer = (text: string): string | undefined => {
  if (text === '*') return text
  if (!text.startsWith('*.')) return serverNamed(text)
  const above = hostNameOf(normaliseDomain(text.slice(2)))
  return above && `*.${above}`
}

/** A pattern of targets in its one form: `pop.example.net`, `*.example.net` or `*`, each with or without `:port`. */
export const parseTargetPattern = (text: string): string | undefined => {
  const pattern = parse(text, patternServer)
  return pattern && formatTarget(pattern)
}

/**
 * Whether patterns (of `parseTargetPattern`) list this port of a server. A pattern without a port lists `usual` ports only,
 * the protocol's own. An IP address is listed by itself only.
 */
export const isListed = (patterns: readonly string[], { server, port }: ServerPort, usual: readonly number[]) =>
  patterns.some((text) => {
    const pattern = parse(text, patternServer)
    if (!pattern || !matches(pattern.server, server)) return false
    return pattern.port === undefined ? usual.includes(port) : pattern.port === port
  })

const matches = (pattern: string, server: string) => {
  if (pattern === server) return true
  if (isIPv4(server) || isIPv6(server)) return false
  return pattern === '*' || (pattern.startsWith('*.') && server.endsWith(pattern.slice(1)))
}
