import { type Address, parseAddress } from '../core/address.ts'

/** The argument of MAIL or RCPT: a path, and the parameters after it. */
export type PathArgument = {
  /** What stands between the brackets, as typed and without a source route; empty for the null reverse-path. */
  readonly path: string
  /** `KEY` or `KEY=VALUE`. */
  readonly parameters: readonly string[]
}

/** Octets; twice what RFC 5321 §4.5.3.1.3 allows, for the long reverse-paths that forwarders make. */
const maxPath = 512

// RFC 5321 §4.1.2: no tab, not in quotes either. A source route is accepted and ignored (RFC 5321 §3.3, appendix C).
const bracketed = /^<(?:@[^\s,:<>"@]+(?:,@[^\s,:<>"@]+)*:)?((?:"(?:\\[^\t]|[^"\\\t])*"|[^"<>\s])*)>(?=[ \t]|$)/v

/** Reads `<path> parameters`; undefined when there is no path in brackets. */
export const parsePathArgument = (text: string): PathArgument | undefined => {
  const found = bracketed.exec(text)
  const path = found?.[1]
  if (found === null || path === undefined || Buffer.byteLength(path) > maxPath) return undefined
  const parameters = text
    .slice(found[0].length)
    .split(/[ \t]+/v)
    .filter((parameter) => parameter !== '')
  return { path, parameters }
}

// Dots anywhere (`user.@host`, `a..b@host`), underscores in the domain, or no domain at all.
const lenientLocal = /^[^\s@"\(\),:;<>\[\\\]]+$/v
const lenientDomain = /^[^\s@"\(\),:;<>\[\\\]]+$/v

/**
 * Whether a path may be the reverse-path. Far more than the grammar: senders' addresses are what they are, nothing is ever
 * sent to them, and a refusal would lose the message.
 */
export const isReversePath = (path: string): boolean => {
  if (path === '' || parseAddress(path) !== undefined) return true
  const at = path.lastIndexOf('@')
  if (at < 0) return lenientLocal.test(path)
  const [local, domain] = [path.slice(0, at), path.slice(at + 1)]
  return lenientDomain.test(domain) && (lenientLocal.test(local) || parseAddress(`${local}@localhost`) !== undefined)
}

/** RFC 5321 §4.5.1: the only recipient that needs no domain. */
export const isBarePostmaster = (path: string): boolean => path.toLowerCase() === 'postmaster'

/** The recipient's address, by the grammar. */
export const forwardPath = (path: string): Address | undefined => parseAddress(path)
