import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIPv6, SocketAddress } from 'node:net'
import { createSecureContext } from 'node:tls'

/** PEM. */
type Pair = { readonly key: string; readonly cert: string }

export type Certificate = Pair & {
  /** SHA-256 of the certificate: upper-case hexadecimal octets with colons, as `openssl x509 -fingerprint` prints. */
  readonly fingerprint: string
  /** Domain names and IP addresses that it is for. */
  readonly names: readonly string[]
  readonly notBefore: Date
  readonly notAfter: Date
}

/** At least one; the first is shown to whoever asks for no name. */
export type Certificates = readonly [Certificate, ...Certificate[]]

/** What the first certificate of a pair says. Throws what the crypto library throws at what is none, and at one without a time. */
export const certificateOf = ({ key, cert }: Pair): Certificate => {
  const x509 = new X509Certificate(cert)
  const { fingerprint256: fingerprint, validFromDate: notBefore, validToDate: notAfter } = x509
  // The library takes any text for a time; nobody would notice when it is over.
  if (Number.isNaN(notAfter.getTime() - notBefore.getTime())) throw new Error('it does not say when it is valid')
  return { key, cert, fingerprint, names: namesOf(x509), notBefore, notAfter }
}

/** Whether the key is the certificate's. Throws at a key that is none. */
export const fits = ({ key, cert }: Pair): boolean => new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))

/**
 * The same, if peers can be shown the pair: the key is the certificate's, and TLS takes all of the chain, of which the above look at
 * the first certificate alone. Undefined for another certificate's key; throws what the crypto library throws at anything else.
 */
export const servableOf = (pair: Pair): Certificate | undefined => {
  if (!fits(pair)) return undefined
  createSecureContext(pair)
  return certificateOf(pair)
}

/** Node prints `DNS:localhost, IP Address:0:0:0:0:0:0:0:1`; a name that it has to quote is nobody's host name. */
const namesOf = (x509: X509Certificate) =>
  (x509.subjectAltName ?? '')
    .split(', ')
    .map((name) => name.replace(/^(DNS|IP Address):/, ''))
    .map((name) => (isIPv6(name) ? new SocketAddress({ address: name, family: 'ipv6' }).address : name))
