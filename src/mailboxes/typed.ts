import { normaliseAddress, parseAddress } from '../core/address.ts'
import { GatewayError } from '../core/errors.ts'
import { hostNameOf } from '../core/hostName.ts'
import { isMailboxId } from '../core/ids.ts'
import { parseNetwork } from '../core/network.ts'
import { requirements, type SenderPolicy } from '../core/senderPolicy.ts'
import { parseTargetPattern } from '../core/target.ts'

// What administrators type about mailboxes. Everything here throws `request-invalid`, and names the field.

const maxText = 200
/** Of one mailbox. */
const maxAliases = 100
const maxLimits = 100
// No control, no line or paragraph separator, no lone surrogate, nothing that turns the direction of what follows it.
const printable = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u{202A}-\u{202E}\u{2066}-\u{2069}]*$/u

const validText = (field: string, text: string): string => {
  const characters = Array.from(text).length
  if (text.trim() === '' || characters > maxText || !printable.test(text)) {
    throw invalid(field, `must be 1 to ${maxText} printable characters`)
  }
  return text
}
export const validName = (name: string) => validText('name', name)
export const validReason = (reason: string) => validText('reason', reason)

/** The aliases normalised. */
export const validAliases = (typed: readonly string[]): readonly string[] => {
  if (typed.length > maxAliases) throw invalid('aliases', `are more than ${maxAliases}`)
  const aliases = typed.map(validAlias)
  if (new Set(aliases).size < aliases.length) throw invalid('aliases', 'name an address twice')
  return aliases
}

/** How many a mailbox has afterwards. */
export const mayHave = (aliases: number): void => {
  if (aliases > maxAliases) throw invalid('aliases', `would be more than ${maxAliases}`)
}

const validAlias = (text: string): string => {
  const address = parseAddress(text)
  if (!address) throw invalid('aliases', `hold ${JSON.stringify(text.slice(0, 100))}, which is not an address`)
  const alias = normaliseAddress(address)
  // `%` separates what a proxy user name is made of.
  if (alias.includes('%')) throw invalid('aliases', 'must not contain %')
  if (isMailboxId(alias.slice(0, alias.lastIndexOf('@')))) throw invalid('aliases', 'must not look like a mailbox id')
  return alias
}

/** What a mailbox's mail clients may do through the proxy; an empty list limits nothing. */
export type ProxyLimits = { readonly targets: readonly string[]; readonly networks: readonly string[] }

export const validLimits = ({ targets, networks }: ProxyLimits): ProxyLimits => ({
  targets: validList(
    'targets',
    'a server such as pop.example.net:995 or *.example.net',
    targets.map(parseTargetPattern),
  ),
  networks: validList('networks', 'a network such as 192.0.2.0/24', networks.map(parseNetwork)),
})

export const validSenderPolicy = (policy: SenderPolicy): SenderPolicy => ({
  networks: validList('networks', 'a network such as 192.0.2.0/24', policy.networks.map(parseNetwork)),
  requires: requirements.filter((one) => policy.requires.includes(one)),
  certificateNames: validList(
    'certificateNames',
    'a host name such as mail.example.com',
    policy.certificateNames.map(hostNameOf),
  ),
  refusal: policy.refusal,
})

const validList = (field: string, what: string, list: readonly (string | undefined)[]): readonly string[] => {
  if (list.length > maxLimits) throw invalid(field, `are more than ${maxLimits}`)
  return list.map((item) => {
    if (item === undefined) throw invalid(field, `must each be ${what}`)
    return item
  })
}

const invalid = (field: string, why: string) => new GatewayError('request-invalid', { detail: `${field} ${why}` })
