import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { TlsSettings } from '../config.ts'
import { GatewayError } from '../core/errors.ts'
import { type Certificate, certificateOf, fits } from './certificate.ts'

/**
 * The certificates that authorities have given, in the order of the settings. Throws `start-refused`, which names the file and
 * what is wrong with it.
 */
export const certificatesInFiles = (
  { certFile, keyFile }: Pick<TlsSettings, 'certFile' | 'keyFile'>,
  now: Date,
): readonly Certificate[] => certFile.map((file, index) => certificateIn(file, keyFile[index] ?? '', now))

const certificateIn = (certFile: string, keyFile: string, now: Date): Certificate => {
  const cert = contentOf('tls.certFile', certFile)
  const key = contentOf('tls.keyFile', keyFile)
  const certificate = understood(`tls.certFile ${certFile}: is no certificate in PEM`, () =>
    certificateOf({ key, cert }),
  )
  if (!understood(`tls.keyFile ${keyFile}: is no key in PEM without a passphrase`, () => fits({ key, cert })))
    throw refused(`The key in ${keyFile} is not that of the certificate in ${certFile}`)
  understood(`tls.certFile ${certFile}: TLS cannot be done with it`, () => createSecureContext({ key, cert }))
  if (certificate.notAfter <= now)
    throw refused(`The certificate in ${certFile} has expired on ${certificate.notAfter.toISOString().slice(0, 10)}`)
  return certificate
}

const contentOf = (name: string, file: string) =>
  understood(`${name} ${file}: cannot be read`, () => readFileSync(file, 'utf8'))

const understood = <T>(otherwise: string, read: () => T): T => {
  try {
    return read()
  } catch (cause) {
    throw refused(`${otherwise} (${cause instanceof Error ? cause.message : 'for no known reason'})`, cause)
  }
}

const refused = (detail: string, cause?: unknown) => new GatewayError('start-refused', { detail, cause })
