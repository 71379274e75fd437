import { constants, existsSync } from 'node:fs'
import { copyFile, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { GatewayError } from '../core/errors.ts'
import { syncDirectory } from '../disk/durable.ts'

/** Copies one file to a path where there is none; durable when it resolves, but for its name. */
export type Copy = (from: string, to: string) => Promise<void>

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : undefined)

const flushed = async (path: string) => {
  const file = await open(path, 'r+')
  try {
    await file.chmod(0o600)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Octet by octet; where the file system can, it shares them until one side is changed. */
export const copyOne: Copy = async (from, to) => {
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  await flushed(to)
}

/** For files that are never changed: a second name, where one file system holds both. */
const linkOne: Copy = async (from, to) => {
  try {
    await link(from, to)
  } catch (error) {
    if (!cannotLink.has(codeOf(error))) throw error
    await copyOne(from, to)
  }
}
const cannotLink = new Set<unknown>(['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK'])

/** Milliseconds to wait for a lock of the writer's. */
const lockTimeout = 5_000
/** Pages between which the thread has other turns. */
const pagesAtOnce = 1000

/**
 * A database as it is at one moment, while others write to it. The copy needs no companion files, and can be read on a
 * medium that cannot be written to.
 */
export const copyDatabase: Copy = async (from, to) => {
  // Not read-only, so that the last one to close a database leaves no companion files beside it; never a new one.
  const uri = pathToFileURL(from)
  uri.search = 'mode=rw'
  const source = new DatabaseSync(uri, { timeout: lockTimeout })
  try {
    await (await open(to, 'wx', 0o600)).close()
    // One transaction for all pages: a copy that is changed under it by another connection would begin anew each time.
    source.exec('begin')
    source.prepare('select count(*) from sqlite_schema').get()
    await backup(source, to, { rate: pagesAtOnce })
    source.exec('rollback')
  } finally {
    source.close()
  }
  const copy = new DatabaseSync(to)
  try {
    copy.exec('pragma journal_mode = delete')
  } finally {
    copy.close()
  }
  await flushed(to)
}

/** How a file of a vault is copied; undefined for what is no part of it. */
const vaultCopy = (path: string): Copy | undefined => {
  if (/-(wal|shm)$|\.partial$/.test(path)) return undefined
  return path.endsWith('.db') ? copyDatabase : linkOne
}

/** How a file of the keys is copied; undefined for what is being written. */
const keysCopy = (path: string): Copy | undefined => (path.endsWith('.partial') ? undefined : copyOne)

/** Copies it unless it is there already, or goes meanwhile: what may go is named by no event. */
const copyIfThere = async (copy: Copy, from: string, to: string) => {
  if (existsSync(to)) return
  try {
    await copy(from, to)
  } catch (error) {
    if (existsSync(from)) throw error
    await rm(to, { force: true })
  }
}

const copyBelow = async (from: string, to: string, copyOf: typeof vaultCopy): Promise<void> => {
  await mkdir(to, { mode: 0o700 }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error
  })
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [path, target] = [join(from, entry.name), join(to, entry.name)]
    const copy = copyOf(path)
    // The gateway follows links too: what lies behind one is part of what it has.
    const found = entry.isSymbolicLink() ? await stat(path) : entry
    if (found.isDirectory()) await copyBelow(path, target, copyOf)
    else if (!found.isFile())
      throw new GatewayError('storage-failed', { detail: `${path} is neither file nor directory` })
    else if (copy) await copyIfThere(copy, path, target)
  }
  await syncDirectory(to)
}

export const copyVault: Copy = (from, to) => copyBelow(from, to, vaultCopy)
/** Again into the same place it adds what is new. */
export const copyKeys: Copy = (from, to) => copyBelow(from, to, keysCopy)
