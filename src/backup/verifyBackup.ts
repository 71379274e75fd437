import { systemClock } from '../core/ports.ts'
import { pathsIn } from '../dataDirectory.ts'
import { check } from '../fsck.ts'
import { keyFiles } from '../keys/keyFiles.ts'
import { readLog } from '../log/openLog.ts'
import { openVault } from '../vault/openVault.ts'
import { type BackedUpFile, describeFile, filesBelow, type Manifest, readManifest } from './manifest.ts'

export type Verification = {
  /** One sentence each: something that is not as the manifest, or the log in the backup, says. */
  readonly problems: readonly string[]
  readonly begunAt: string
  readonly position: number
  readonly files: number
  readonly messages: number
}

/**
 * Compares a backup with its manifest, and what lies in it with its log, as `fsck` does. Changes nothing, so that a
 * medium which cannot be written to will do. Rejects with `request-invalid` for what is no finished backup.
 */
export const verifyBackup = async (directory: string): Promise<Verification> => {
  const manifest = await readManifest(directory)
  const differences = await differencesFrom(manifest, directory)
  const { problems, messages } = await examined(manifest, directory)
  const { begunAt, position, files } = manifest
  return { problems: [...differences, ...problems], begunAt, position, files: files.length, messages }
}

const differencesFrom = async ({ files }: Manifest, directory: string): Promise<readonly string[]> => {
  const present = new Set(await filesBelow(directory))
  const problems: string[] = []
  for (const file of files)
    if (!present.delete(file.path)) problems.push(`${file.path} is missing.`)
    else if (!isSame(file, await describeFile(directory, file.path)))
      problems.push(`${file.path} is not the one that was backed up.`)
  return [...problems, ...[...present].map((path) => `${path} does not belong to the backup.`)]
}

const isSame = (one: BackedUpFile, other: BackedUpFile) => one.size === other.size && one.sha256 === other.sha256

const examined = async ({ vault: engine }: Manifest, directory: string) => {
  const paths = pathsIn(directory)
  const log = await readLog({ engine: 'sqlite', file: paths.log })
  try {
    const vault = openVault({ engine, dir: paths.vault, readOnly: true })
    try {
      const keys = keyFiles({ dir: paths.keys })
      return await check({ log, vault, keys, clock: systemClock, repair: false, progress: () => undefined })
    } finally {
      await vault.close()
    }
  } finally {
    await log.close()
  }
}
