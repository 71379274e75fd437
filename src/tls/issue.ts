import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

export type Issue = {
  /** Domain names and IP addresses; the first is also the common name. */
  readonly names: readonly string[]
  readonly notBefore: Date
  readonly notAfter: Date
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** Makes an ECDSA P-256 key and a TLS server's certificate of it, signed by itself; both PEM, the key PKCS #8. */
export const issue = async ({ names, notBefore, notAfter }: Issue) => {
  const pair = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  // The library asks for the DOM's types of these same objects.
  const [keys, crypto] = [pair as never, webcrypto as never]
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: [{ CN: [commonName(names)] }],
      notBefore,
      notAfter,
      signingAlgorithm: algorithm,
      keys,
      extensions: await extensions(pair.publicKey as never, names, crypto),
    },
    crypto,
  )
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', pair.privateKey)
  return { key: pem('PRIVATE KEY', pkcs8), cert: pem('CERTIFICATE', certificate.rawData) }
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets. */
const serialNumber = () => `4${randomBytes(16).toString('hex').slice(1)}`

/** At most 64 characters (RFC 5280 appendix A.1); what peers compare are the alternative names. */
const commonName = ([first = '']: readonly string[]) => (first.length > 0 && first.length <= 64 ? first : 'Sealpost')

/**
 * No key usage: some OpenSSL versions take a self-signed certificate without `keyCertSign` for one whose issuer is
 * missing, and one with it is no server's certificate. Both key identifiers, for peers that verify strictly.
 */
const extensions = async (publicKey: never, names: readonly string[], crypto: never) => [
  new BasicConstraintsExtension(false, undefined, true),
  new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
  new SubjectAlternativeNameExtension(
    names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
  ),
  await SubjectKeyIdentifierExtension.create(publicKey, false, crypto),
  await AuthorityKeyIdentifierExtension.create(publicKey, false, crypto),
]

const pem = (label: string, der: ArrayBuffer) => {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
