import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GatewayError } from '../core/errors.ts'
import { conditionOf } from '../disk/condition.ts'
import type { BackupSource } from './makeBackup.ts'

/** Octets that a file takes in the backup. */
type Weight = (path: string, size: number) => number

const inFull: Weight = (_, size) => size

const weigh = async (path: string, weight: Weight): Promise<number> => {
  // What goes meanwhile weighs nothing.
  const found = await stat(path).catch(() => undefined)
  if (!found?.isDirectory()) return weight(path, found?.size ?? 0)
  let octets = 0
  for (const name of await readdir(path).catch(() => [])) octets += await weigh(join(path, name), weight)
  return octets
}

/** Rejects with `storage-full`, before anything is written, when the backup will not have room where it is to be. */
export const mustHaveRoom = async (
  { places }: BackupSource,
  target: string,
  freeAt = (directory: string) => conditionOf(directory).free,
): Promise<void> => {
  const parent = dirname(target)
  const deviceOf = async (path: string) => (await stat(path).catch(() => undefined))?.dev
  const links = (await deviceOf(parent)) === (await deviceOf(places.vault))
  // Databases are copied; what else lies in the vault is linked where that can be done.
  const inVault: Weight = (path, size) => (links && !path.endsWith('.db') ? 0 : size)
  const needed =
    (await weigh(places.log, inFull)) +
    (await weigh(`${places.log}-wal`, inFull)) +
    (await weigh(places.keys, inFull)) +
    (await weigh(places.vault, inVault))
  const free = freeAt(parent)
  if (needed <= free) return
  const detail = `The backup needs ${mebibytes(needed)} MiB, and there are ${mebibytes(free)} MiB in ${parent}: make room there, or name a directory on another disk.`
  throw new GatewayError('storage-full', { detail })
}

const mebibytes = (octets: number) => Math.ceil(octets / 2 ** 20)
