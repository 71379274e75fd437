import type { Found } from '../../actors/smtpSetup.ts'
import type { SenderPolicy } from '../core/senderPolicy.ts'
import { type Address, normaliseAddress, normaliseDomain } from '../core/address.ts'
import type { MailboxId } from '../core/ids.ts'

/** A mailbox as a delivery needs to know it. */
export type Mailbox = {
  readonly mailboxId: MailboxId
  /** age recipient and its generation. */
  readonly recipient: string
  readonly generation: number
  readonly suspended: boolean
  /** From whom it takes mail; none: from everybody. */
  readonly senderPolicy?: SenderPolicy
}

export type Recipients = {
  /** The gateway's domain. */
  readonly domain: string
  readonly postmaster: MailboxId | undefined
  /** The mailbox that has this normalised address, be it `<id>@<domain>` or an alias. */
  readonly resolve: (normalisedAddress: string) => Mailbox | undefined
  /**
   * Where others make mailboxes too: resolves when `resolve` knows all that there were at the time of the call. An address
   * is refused for good only after that.
   */
  readonly current: (() => Promise<void>) | undefined
}

export type RecipientFound = { readonly found: Found; readonly mailbox: Mailbox | undefined }

/** Looked up first, whatever the domain: an alias may be an address of any. What is left and not ours would be relayed. */
export const findRecipient = (recipients: Recipients, path: Address | 'postmaster'): RecipientFound => {
  const { resolve } = recipients
  const domain = normaliseDomain(recipients.domain)
  const address = path === 'postmaster' ? `postmaster@${domain}` : normaliseAddress(path)
  const mailbox = resolve(address)
  if (mailbox !== undefined) return known(mailbox)
  // RFC 5321 §4.5.1
  if (address === `postmaster@${domain}`) return findPostmaster(recipients, domain)
  return { found: { is: address.endsWith(`@${domain}`) ? 'unknown' : 'relay' }, mailbox }
}

const findPostmaster = ({ postmaster, resolve }: Recipients, domain: string): RecipientFound => {
  const mailbox = postmaster === undefined ? undefined : resolve(`${postmaster}@${domain}`)
  return mailbox === undefined ? { found: { is: 'noPostmaster' }, mailbox } : known(mailbox)
}

const known = (mailbox: Mailbox): RecipientFound => {
  const { mailboxId, suspended } = mailbox
  return { found: { is: suspended ? 'suspended' : 'mailbox', mailboxId }, mailbox }
}
