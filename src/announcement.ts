import { renameSync, rmSync, writeFileSync } from 'node:fs'
import type { Secret } from './core/secret.ts'
import type { pathsIn } from './dataDirectory.ts'
import type { Address } from './listeners.ts'

type Announced = { readonly token: Secret; readonly certificate: string; readonly address: Address | undefined }

/** For the local command line: where the API is, and the token that whoever may read the data directory may use. */
export const announce = (paths: ReturnType<typeof pathsIn>, { token, certificate, address }: Announced) => {
  withdraw(paths)
  if (!address) return
  const mode = { mode: 0o600, flag: 'wx' }
  writeFileSync(paths.token, `${token.reveal()}\n`, mode)
  writeFileSync(paths.certificate, certificate, mode)
  writeFileSync(paths.url, `https://${hostInUrl(address.host)}:${address.port}/#${process.pid}\n`, mode)
}

/** The same with another certificate. Whoever reads it meanwhile finds the one or the other. */
export const announceCertificate = ({ certificate: file }: ReturnType<typeof pathsIn>, certificate: string) => {
  writeFileSync(`${file}.new`, certificate, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** Nobody is there any more. */
export const withdraw = ({ token, url, certificate }: ReturnType<typeof pathsIn>) => {
  for (const file of [token, url, certificate]) rmSync(file, { force: true })
}

const hostInUrl = (host: string) => (host.includes(':') ? `[${host}]` : host)
