import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { GatewayError } from '../core/errors.ts'
import { systemClock } from '../core/ports.ts'
import { pathsIn, type Places } from '../dataDirectory.ts'
import { syncDirectory } from '../disk/durable.ts'
import type { VaultPlace } from '../vault/openVault.ts'
import { asStorageError } from '../vault/storageError.ts'
import { version } from '../version.ts'
import { copyDatabase, copyKeys, copyOne, copyVault } from './copy.ts'
import { describeFile, filesBelow, type Manifest, writeManifest } from './manifest.ts'
import { mustHaveRoom } from './room.ts'

/** What is backed up. Values only: it crosses between threads. */
export type BackupSource = { readonly places: Places; readonly vault: VaultPlace['engine'] }

export type BackupMade = {
  /** Absolute. */
  readonly directory: string
  readonly files: number
  readonly octets: number
  /** Of the last event in it. */
  readonly position: number
}

/** Where a backup is until it is whole. */
export const partialOf = (directory: string) => `${resolve(directory)}.partial`

/**
 * Backs everything up into a directory that does not exist yet, while the gateway runs or not: keys, then the log, as it
 * is at one moment, then what the log names, so that nothing which the copied log names is missing. Nothing of it may be
 * destroyed meanwhile. The directory exists once it is whole and durable; a failure leaves nothing. Rejects with
 * `request-invalid` for a directory that will not do, `storage-full` or `storage-failed`.
 */
export const makeBackup = async (source: BackupSource, directory: string): Promise<BackupMade> => {
  const target = resolve(directory)
  const partial = partialOf(target)
  refuseUnfit(source, target)
  if (existsSync(dirname(target))) await mustHaveRoom(source, target)
  await mkdir(partial, { mode: 0o700 }).catch((cause: unknown) => {
    throw unfit(cause, partial)
  })
  try {
    const manifest = await fill(source, partial)
    await writeManifest(partial, manifest)
    await syncDirectory(partial)
    await rename(partial, target)
    await syncDirectory(dirname(target))
    const octets = manifest.files.reduce((sum, { size }) => sum + size, 0)
    return { directory: target, files: manifest.files.length, octets, position: manifest.position }
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw asBackupError(error)
  }
}

const invalid = (detail: string, cause?: unknown) => new GatewayError('request-invalid', { detail, cause })

const refuseUnfit = ({ places }: BackupSource, target: string) => {
  if (existsSync(target)) throw invalid(`${target} exists already: a backup is made in a new directory.`)
  const own = [dirname(places.log), places.vault, places.keys].map((place) => resolve(place))
  const around = own.find((place) => isWithin(place, target))
  if (around !== undefined) throw invalid(`${target} lies in ${around}, which it is to be a backup of.`)
}

const isWithin = (place: string, target: string) => {
  const way = relative(place, target)
  return !way.startsWith('..') && !isAbsolute(way)
}

const unfit = (cause: unknown, partial: string) => {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  const why =
    code === 'EEXIST'
      ? 'it exists: another backup is being made there, or one was interrupted. If none is, remove it.'
      : `${code}: does the directory in which it is to be exist, and may the gateway's user write there?`
  return invalid(`${partial} cannot be made (${why})`, cause)
}

const asBackupError = (error: unknown) => {
  const { code, cause = error } = asStorageError(error)
  const why = cause instanceof Error ? cause.message : 'unknown'
  return new GatewayError(code, { detail: `The backup could not be made: ${why}`, cause })
}

const fill = async ({ places, vault }: BackupSource, partial: string): Promise<Manifest> => {
  const begunAt = systemClock.now().toISOString()
  const to = pathsIn(partial)
  // Before the log for those that are about to go, and again after it for those that have come.
  await copyKeys(places.keys, to.keys)
  await copyDatabase(places.log, to.log)
  await copyVault(places.vault, to.vault)
  await copyKeys(places.keys, to.keys)
  for (const id of [places.vaultId, places.keysId, places.gatewayId])
    if (existsSync(id)) await copyOne(id, join(partial, basename(id)))
  const files = []
  for (const path of await filesBelow(partial)) files.push(await describeFile(partial, path))
  return { backup: 1, version, begunAt, position: lastPosition(to.log), vault, files }
}

const lastPosition = (log: string): number => {
  const db = new DatabaseSync(log, { readOnly: true })
  try {
    return Number(db.prepare('select max(position) as position from event').get()?.['position'] ?? 0)
  } finally {
    db.close()
  }
}
