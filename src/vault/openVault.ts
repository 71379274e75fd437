import { existsSync } from 'node:fs'
import { GatewayError } from '../core/errors.ts'
import type { Vault } from '../core/ports.ts'
import { files } from './files.ts'
import { packs } from './packs.ts'

export type VaultPlace = {
  readonly engine: 'packs' | 'files'
  readonly dir: string
  /** Nothing is made, tended or swept, and every change is refused: a copy is only looked at. */
  readonly readOnly?: boolean
}

/** The vault of the configured material. Throws `storage-failed` where there is none. `onFatal`: see the adapters. */
export const openVault = ({ engine, dir, readOnly = false }: VaultPlace, onFatal?: (error: unknown) => void): Vault => {
  if (!existsSync(dir)) throw new GatewayError('storage-failed', { detail: `There is no vault at ${dir}` })
  const open = { packs, files }[engine]
  return open({ dir, readOnly, ...(onFatal === undefined ? {} : { onFatal }) })
}
