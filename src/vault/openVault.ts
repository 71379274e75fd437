import type { Vault } from '../core/ports.ts'
import { files } from './files.ts'
import { packs } from './packs.ts'

export type VaultPlace = {
  readonly engine: 'packs' | 'files'
  readonly dir: string
}

/** The vault of the configured material. `onFatal`: see the adapters. */
export const openVault = ({ engine, dir }: VaultPlace, onFatal?: (error: unknown) => void): Vault => {
  const open = { packs, files }[engine]
  return open({ dir, ...(onFatal === undefined ? {} : { onFatal }) })
}
