import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'

// Windows can neither open nor flush a directory; NTFS journals its entries.
const directoriesFlush = process.platform !== 'win32'

const flushDirectory = async (path: string): Promise<void> => {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Of each directory, the flush that has not begun: it will cover every name that is there by then. */
const coming = new Map<string, Promise<void>>()
const running = new Map<string, Promise<void>>()

/** Resolves when the names in the directory are durable. Who asks while a flush runs shares the next one. */
export const syncDirectory = (path: string): Promise<void> => {
  if (!directoriesFlush) return Promise.resolve()
  const shared = coming.get(path)
  if (shared !== undefined) return shared
  const next = flushAfter(path, running.get(path))
  coming.set(path, next)
  return next
}

const flushAfter = async (path: string, before: Promise<void> | undefined): Promise<void> => {
  // That one's failure is told to those who waited for it. Never in the turn of the call: `coming` is to know this one.
  await before?.catch(() => undefined)
  await Promise.resolve()
  const flush = flushDirectory(path)
  coming.delete(path)
  running.set(path, flush)
  try {
    await flush
  } finally {
    if (running.get(path) === flush) running.delete(path)
  }
}

/** The same, at once. */
export const syncDirectoryNow = (path: string): void => {
  if (!directoriesFlush) return
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/**
 * Makes the directory and its parents, mode 0700; durable when it returns, the names of its parents included that existed
 * already: whoever made them may have died before flushing.
 */
export const makeDirectory = (directory: string): void => {
  const path = resolve(directory)
  const firstMade = mkdirSync(path, { recursive: true, mode: 0o700 }) ?? path
  for (let at = path; at.length >= firstMade.length && at !== dirname(at); at = dirname(at))
    syncDirectoryNow(dirname(at))
}

/** The same for what lies below `root`, which has to exist: a root that is away is not made anew. */
export const makeDirectoryBelow = (root: string, directory: string): void => {
  const top = resolve(root)
  let at = top
  for (const part of relative(top, resolve(directory))
    .split(sep)
    .filter((name) => name !== '')) {
    const parent = at
    at = join(parent, part)
    const isNew = makeOne(at)
    try {
      syncDirectoryNow(parent)
    } catch (error) {
      // No later flush makes up for one that has failed: the next one who comes is to make it anew.
      if (isNew) removeEmpty(at)
      throw error
    }
  }
}

const removeEmpty = (path: string) => {
  try {
    rmdirSync(path)
  } catch {
    // Another gateway has put something there.
  }
}

/** Whether there was none. */
const makeOne = (path: string): boolean => {
  try {
    mkdirSync(path, { mode: 0o700 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}

/** Writes a file, mode 0600, where there is none; durable when it returns. Whether it was written: of several one is. */
export const addFileNow = (path: string, text: string): boolean => {
  const partial = `${path}.${randomBytes(8).toString('hex')}.partial`
  try {
    const file = openSync(partial, 'wx', 0o600)
    try {
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    linkSync(partial, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(partial, { force: true })
  }
  syncDirectoryNow(dirname(path))
  return true
}
