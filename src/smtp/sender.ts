import type { X509Certificate } from 'node:crypto'
import { isIP, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { networksOf } from '../core/network.ts'
import { demandOf, type Proof, type SenderPolicy } from '../core/senderPolicy.ts'
import { withoutMapping } from '../core/sourceAddress.ts'

/** What a connection shows by itself. */
export type SmtpPeer = { readonly remoteAddress: string; readonly certificate: X509Certificate | undefined }

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

const isWithin = (networks: readonly string[], remoteAddress: string) => {
  const address = withoutMapping(remoteAddress).replace(/%.*$/, '')
  return isIP(address) !== 0 && networksOf(networks).has(address)
}

/** RFC 6125 §6.4: names of the subject alternative name alone; a wildcard there stands for one label. */
const isForOneOf = (names: readonly string[], certificate: X509Certificate | undefined) =>
  certificate !== undefined &&
  (names.length === 0 || names.some((name) => certificate.checkHost(name, { subject: 'never' }) !== undefined))
