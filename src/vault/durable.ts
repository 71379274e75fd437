import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

// Windows can neither open nor flush a directory; NTFS journals its entries.
const directoriesFlush = process.platform !== 'win32'

/** Resolves when the names in the directory are durable. */
export const syncDirectory = async (path: string): Promise<void> => {
  if (!directoriesFlush) return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
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
 * Makes the directory and its parents, mode 0700; durable when it returns. The names of those from `top` down are flushed
 * even if they exist: whoever made them may have died before flushing.
 */
export const makeDirectory = (directory: string, top: string): void => {
  const path = resolve(directory)
  const firstMade = mkdirSync(path, { recursive: true, mode: 0o700 }) ?? path
  const highest = Math.min(firstMade.length, resolve(top).length)
  for (let at = path; at.length >= highest && at !== dirname(at); at = dirname(at)) syncDirectoryNow(dirname(at))
}
