import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { GatewayError } from '../core/errors.ts'

/** Who vouches for servers: a file that a setting names, or without one whom Node and the system know. */
export type Vouching = {
  /** The setting, as errors name it. */
  readonly setting: string
  readonly file: string | undefined
}

type File = Vouching & { readonly file: string }

const refused = ({ setting, file }: File, why: string, cause?: unknown) =>
  new GatewayError('start-refused', { detail: `${setting} ${file} ${why}`, cause })

const textOf = (from: File) => {
  try {
    return readFileSync(from.file, 'latin1')
  } catch (cause) {
    throw refused(from, `cannot be read: ${cause instanceof Error ? cause.message : 'unknown error'}`, cause)
  }
}

/** The certificates of a PEM file. Throws `start-refused` when it has none or one that cannot be read. */
const certificatesIn = (from: File): string[] => {
  const certificates = textOf(from).match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  if (certificates.length === 0) throw refused(from, 'holds no certificate (PEM)')
  try {
    return certificates.map((pem) => new X509Certificate(pem).toString())
  } catch (cause) {
    throw refused(from, 'holds a certificate that cannot be read', cause)
  }
}

/** The authorities' certificates, PEM. Throws `start-refused`. */
export const authorities = ({ setting, file }: Vouching): string[] =>
  file === undefined ? knownAuthorities() : certificatesIn({ setting, file })

/** What the connection to a server is judged by. Throws `start-refused`. */
export const remoteContext = (vouching: Vouching): SecureContext =>
  createSecureContext({ minVersion: 'TLSv1.2', ca: authorities(vouching) })

/** Those that Node and the system know, PEM. */
export const knownAuthorities = (): string[] => {
  try {
    return [...getCACertificates('default'), ...getCACertificates('system')]
  } catch {
    // A machine without a store of its own: those that Node brings remain.
    return getCACertificates('default')
  }
}
