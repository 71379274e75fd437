import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const rsa = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: Uint8Array.of(1, 0, 1),
  hash: 'SHA-256',
} as const
const day = 86_400_000
// The library asks for the DOM's types of these same objects.
const crypto = webcrypto as never

type Wish = {
  /** Host names and IP addresses. */
  readonly names: readonly string[]
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** Whom it is for; a server unless it is said. */
  readonly usage?: 'server' | 'client'
  /** Of which kind its key is; ECDSA unless it is said. */
  readonly key?: 'ECDSA' | 'RSA'
}

export type TestAuthority = {
  /** Its own certificate, PEM: what a client has to trust. */
  readonly cert: string
  /** A key and certificate, PEM. */
  issue(wish: Wish): Promise<{ readonly key: string; readonly cert: string }>
}

/** An authority that vouches for test servers; nobody trusts it who is not told to. */
export const testAuthority = async (name = 'Test authority'): Promise<TestAuthority> => {
  const own = await newPair()
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      ...validity({}),
      serialNumber: serialNumber(),
      name: [{ CN: [name] }],
      signingAlgorithm: algorithm,
      keys: own as never,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    },
    crypto,
  )
  return {
    cert: certificate.toString('pem'),
    issue: async (wish) => {
      const pair = await (wish.key === 'RSA' ? webcrypto.subtle.generateKey(rsa, true, ['sign', 'verify']) : newPair())
      const issued = await X509CertificateGenerator.create(
        {
          ...validity(wish),
          serialNumber: serialNumber(),
          subject: [{ CN: [wish.names[0] ?? 'nobody'] }],
          issuer: certificate.subject,
          signingAlgorithm: algorithm,
          publicKey: pair.publicKey as never,
          signingKey: own.privateKey,
          extensions: [
            new BasicConstraintsExtension(false, undefined, true),
            new ExtendedKeyUsageExtension([
              wish.usage === 'client' ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth,
            ]),
            new SubjectAlternativeNameExtension(wish.names.map((value) => ({ type: typeOf(value), value }))),
          ],
        },
        crypto,
      )
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', pair.privateKey)).toString('base64')
      const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.replaceAll(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`
      return { key, cert: `${issued.toString('pem')}\n` }
    },
  }
}

const newPair = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
// Long, as authorities make them, and positive.
const serialNumber = () => `4${randomBytes(16).toString('hex').slice(1)}`
const typeOf = (name: string) => (isIP(name) === 0 ? ('dns' as const) : ('ip' as const))
const validity = ({ notBefore, notAfter }: Partial<Wish>) => ({
  notBefore: notBefore ?? new Date(Date.now() - day),
  notAfter: notAfter ?? new Date(Date.now() + 30 * day),
})

/** What no password may be sent to: of another name, expired, of an authority that nobody knows. */
export const untrusted = async (authority: TestAuthority, otherName: string) => {
  const [names, now] = [['localhost'], Date.now()]
  return {
    wrongName: await authority.issue({ names: [otherName] }),
    expired: await authority.issue({ names, notBefore: new Date(now - 9 * day), notAfter: new Date(now - day) }),
    unknownAuthority: await (await testAuthority('Another authority')).issue({ names }),
  }
}
