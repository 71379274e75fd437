import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

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
 * Makes the directory and its parents, mode 0700; durable when it returns. The names of those from `top` down are flushed
 * even if they exist: whoever made them may have died before flushing.
 */
export const makeDirectory = (directory: string, top: string): void => {
  const path = resolve(directory)
  const firstMade = mkdirSync(path, { recursive: true, mode: 0o700 }) ?? path
  const highest = Math.min(firstMade.length, resolve(top).length)
  for (let at = path; at.length >= highest && at !== dirname(at); at = dirname(at)) syncDirectoryNow(dirname(at))
}
