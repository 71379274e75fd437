import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { GatewayError } from '../core/errors.ts'
import type { VaultPlace } from '../vault/openVault.ts'

export const manifestName = 'manifest.json'

export type BackedUpFile = {
  /** From the backup's directory, with `/`. */
  readonly path: string
  readonly size: number
  /** Hex. */
  readonly sha256: string
}

/** What a backup consists of. */
export type Manifest = {
  readonly backup: 1
  /** Of the program that made it. */
  readonly version: string
  /** When it was begun: everything acknowledged before is in it. ISO 8601. */
  readonly begunAt: string
  /** Of the last event of its log. */
  readonly position: number
  readonly vault: VaultPlace['engine']
  readonly files: readonly BackedUpFile[]
}

/** What speaks against destroying anything in a data directory: that it is a restored backup, which lacks later holds. */
export const restoredIn = (directory: string): string | undefined => {
  const path = join(directory, manifestName)
  if (!existsSync(path)) return undefined
  return `${path} says that this is a restored backup: place the holds again that it lacks, then remove that file`
}

/** Every file below the directory but the manifest, in the order of their paths. */
export const filesBelow = async (directory: string): Promise<readonly string[]> => {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(directory, join(parentPath, name)).split(sep).join('/'))
    .filter((path) => path !== manifestName)
    .sort()
}

export const describeFile = async (directory: string, path: string): Promise<BackedUpFile> => {
  const file = join(directory, path)
  const digest = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 256 << 10 })) digest.update(chunk as Buffer)
  return { path, size: (await stat(file)).size, sha256: digest.digest('hex') }
}

/** Durable when it resolves, but for its name. */
export const writeManifest = async (directory: string, manifest: Manifest): Promise<void> => {
  const file = await open(join(directory, manifestName), 'wx', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(manifest, undefined, 1)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Rejects with `request-invalid`, saying why, when the directory is no finished backup. */
export const readManifest = async (directory: string): Promise<Manifest> => {
  const text = await readFile(join(directory, manifestName), 'utf8').catch((cause: unknown) => {
    throw noBackup(directory, `it has no ${manifestName}`, cause)
  })
  try {
    const manifest: unknown = JSON.parse(text)
    if (isManifest(manifest)) return manifest
  } catch (cause) {
    throw noBackup(directory, `its ${manifestName} is damaged`, cause)
  }
  throw noBackup(directory, `its ${manifestName} is not one that this version can read`)
}

const noBackup = (directory: string, why: string, cause?: unknown) =>
  new GatewayError('request-invalid', { detail: `${directory} is not a backup that was finished: ${why}.`, cause })

const isManifest = (value: unknown): value is Manifest =>
  typeof value === 'object' &&
  value !== null &&
  'backup' in value &&
  value.backup === 1 &&
  'vault' in value &&
  (value.vault === 'packs' || value.vault === 'files') &&
  'files' in value &&
  Array.isArray(value.files) &&
  value.files.every(isFile)

const isFile = (value: unknown) =>
  typeof value === 'object' &&
  value !== null &&
  'path' in value &&
  typeof value.path === 'string' &&
  'size' in value &&
  typeof value.size === 'number' &&
  'sha256' in value &&
  typeof value.sha256 === 'string'
