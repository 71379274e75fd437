import { isIPv4, isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'

/** An address as it was typed: RFC 5321 §4.1.2 `Mailbox`, with the characters of RFC 6531 §3.3. */
export type Address = {
  /** With its quotes, if it had any. */
  readonly local: string
  /** A domain, or an address literal with its brackets. */
  readonly domain: string
}

/** RFC 5321 §4.5.3.1.1 and §4.5.3.1.2, in octets. */
const maxLocal = 64
const maxDomain = 255
const maxLabel = 63

// Beyond ASCII (RFC 6531), without controls, separators and what is invisible; the two joiners belong to some scripts.
const beyond = String.raw`[[\u0080-\u{10FFFF}]--[\p{Cc}\p{Cf}\p{Cs}\p{Z}]]|[\u200C\u200D]`
const atext = String.raw`(?:[!#-'*+\-\/-9=?A-Z\^-~]|${beyond})`
const quoted = String.raw`"(?:[\x20\x21\x23-\x5B\x5D-\x7E]|\\[\x20-\x7E]|${beyond})*"`
const letterOrDigit = `(?:[A-Za-z0-9]|${beyond})`
const label = `${letterOrDigit}(?:(?:-|${letterOrDigit})*${letterOrDigit})?`

const dotString = new RegExp(String.raw`^${atext}+(?:\.${atext}+)*$`, 'v')
const quotedString = new RegExp(`^${quoted}$`, 'v')
const quotedStart = new RegExp(`^${quoted}@`, 'v')
const subDomain = new RegExp(`^${label}$`, 'v')
const generalLiteral = /^[A-Za-z0-9-]*[A-Za-z0-9]:[\x21-\x5A\x5E-\x7E]+$/

/** The address that `text` is, or undefined when the grammar does not allow it. */
export const parseAddress = (text: string): Address | undefined => {
  const at = (quotedStart.exec(text)?.[0].length ?? text.indexOf('@') + 1) - 1
  if (at < 1) return undefined
  const address = { local: text.slice(0, at), domain: text.slice(at + 1) }
  return isLocal(address.local) && isDomain(address.domain) ? address : undefined
}

export const formatAddress = ({ local, domain }: Address): string => `${local}@${domain}`

/**
 * The form under which an address is looked up: two addresses of one mailbox that differ only in case, in needless
 * quotes or in how the domain is written have the same.
 */
export const normaliseAddress = ({ local, domain }: Address): string =>
  `${normaliseLocal(local)}@${normaliseDomain(domain)}`

/** A domain in lower case and ASCII (RFC 5891); an address literal in lower case. */
export const normaliseDomain = (domain: string): string => {
  const lower = domain.toLowerCase()
  if (isAscii(lower)) return lower
  const ascii = domainToASCII(lower)
  // A name that the conversion takes for a number is no domain: it would become somebody else's IP address.
  return ascii === '' || isIPv4(ascii) ? lower : ascii
}

const isAscii = (text: string) => /^\p{ASCII}*$/v.test(text)
const octets = (text: string) => Buffer.byteLength(text)

const isLocal = (local: string) => octets(local) <= maxLocal && (dotString.test(local) || quotedString.test(local))

const isDomain = (domain: string) => {
  if (octets(domain) > maxDomain) return false
  if (domain.startsWith('[') && domain.endsWith(']')) return isLiteral(domain.slice(1, -1))
  return domain.split('.').every((part) => octets(part) <= maxLabel && subDomain.test(part))
}

// RFC 5321 §4.1.3
const isLiteral = (literal: string) =>
  isIPv4(literal) ||
  (/^IPv6:/i.test(literal) ? isIPv6(literal.slice(5)) && !literal.includes('%') : generalLiteral.test(literal))

const normaliseLocal = (local: string) => {
  // Composed again at the end: a lower-case form may be decomposed.
  const lower = local.normalize('NFC').toLowerCase().normalize('NFC')
  if (!lower.startsWith('"')) return lower
  const value = lower.slice(1, -1).replace(/\\(.)/gv, '$1')
  return dotString.test(value) ? value : `"${value.replace(/["\\]/g, String.raw`\$&`)}"`
}
