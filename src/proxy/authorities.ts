import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { GatewayError } from '../core/errors.ts'

const refused = (file: string, why: string, cause?: unknown) =>
  new GatewayError('start-refused', { detail: `proxy.caFile ${file} ${why}`, cause })

const textOf = (file: string) => {
  try {
    return readFileSync(file, 'latin1')
  } catch (cause) {
    throw refused(file, `cannot be read: ${cause instanceof Error ? cause.message : 'unknown error'}`, cause)
  }
}

/** The certificates of a PEM file. Throws `start-refused` when it has none or one that cannot be read. */
const certificatesIn = (file: string): string[] => {
  const certificates = textOf(file).match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  if (certificates.length === 0) throw refused(file, 'holds no certificate (PEM)')
  try {
    return certificates.map((pem) => new X509Certificate(pem).toString())
  } catch (cause) {
    throw refused(file, 'holds a certificate that cannot be read', cause)
  }
}

/** What vouches for remote servers: the file's authorities, or without one those that Node and the system know. */
export const remoteContext = (caFile: string | undefined): SecureContext =>
  createSecureContext({
    minVersion: 'TLSv1.2',
    ca: caFile === undefined ? [...getCACertificates('default'), ...systemCertificates()] : certificatesIn(caFile),
  })

const systemCertificates = () => {
  try {
    return getCACertificates('system')
  } catch {
    // A machine without a store of its own: those that Node brings remain.
    return []
  }
}
