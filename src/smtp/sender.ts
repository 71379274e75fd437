import type { X509Certificate } from 'node:crypto'
import { isIP, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type Lack, lackAtMailbox, lackOfPeer } from '../../actors/senderDemands.ts'
import type { Recipient } from '../../actors/smtpSetup.ts'
import type { Senders } from '../access/senders.ts'
import type { SenderId } from '../core/ids.ts'
import { networksOf } from '../core/network.ts'
import { anySender, demandOf, type Proof, type SenderPolicy } from '../core/senderPolicy.ts'
import { withoutMapping } from '../core/sourceAddress.ts'
import type { Mailbox } from './recipient.ts'

/** What a connection shows by itself. */
export type SmtpPeer = { readonly remoteAddress: string; readonly certificate: X509Certificate | undefined }

/** And what its session knows. */
export type KnownPeer = SmtpPeer & {
  readonly secure: boolean
  /** Whose token was shown. */
  readonly sender: SenderId | undefined
}

export type Asked = Pick<Recipient, 'demand' | 'shown'>

/** The certificate that a peer has shown in the handshake, if the authorities that were asked for vouch for it. */
export const clientCertificate = (socket: Socket): X509Certificate | undefined =>
  socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined

/** What a policy asks for and a peer has shown; not what the session itself knows, TLS and whose token was given. */
export const shownTo = (policy: SenderPolicy, peer: SmtpPeer): readonly Proof[] =>
  (demandOf(policy)?.asks ?? []).filter(
    (proof) =>
      (proof === 'network' && isWithin(policy.networks, peer.remoteAddress)) ||
      (proof === 'certificate' && isForOneOf(policy.certificateNames, peer.certificate)),
  )

/** What a mailbox asks for, and what was shown of it. */
export const askedBy = (
  { mailboxId, senderPolicy = anySender }: Mailbox,
  peer: KnownPeer,
  { maySend }: Pick<Senders, 'maySend'>,
): Asked => {
  const holdsToken = peer.sender !== undefined && maySend(peer.sender, mailboxId)
  return {
    demand: demandOf(senderPolicy),
    shown: [...shownTo(senderPolicy, peer), ...(holdsToken ? (['token'] as const) : [])],
  }
}

/** The first thing that a listener with this policy asks of everybody, or the mailbox beyond that, and was not shown. */
export const lackOf = (
  peer: KnownPeer,
  policy: SenderPolicy,
  { mailboxId, ...asked }: Asked & Pick<Mailbox, 'mailboxId'>,
): Lack | undefined => {
  const known = { ...peer, demand: demandOf(policy), shown: shownTo(policy, peer) }
  return lackOfPeer(known) ?? lackAtMailbox(known, { found: { is: 'mailbox', mailboxId }, ...asked })
}

const isWithin = (networks: readonly string[], remoteAddress: string) => {
  const address = withoutMapping(remoteAddress).replace(/%.*$/, '')
  return isIP(address) !== 0 && networksOf(networks).has(address)
}

/** RFC 6125 §6.4: names of the subject alternative name alone; a wildcard there stands for one label. */
const isForOneOf = (names: readonly string[], certificate: X509Certificate | undefined) =>
  certificate !== undefined &&
  (names.length === 0 || names.some((name) => certificate.checkHost(name, { subject: 'never' }) !== undefined))
