import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open, readdir, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GatewayError } from '../core/errors.ts'
import { isVaultKey } from '../core/ids.ts'
import type { VaultEntry } from '../core/ports.ts'
import { makeDirectoryBelow, syncDirectory } from '../disk/durable.ts'
import { markOf } from '../disk/mark.ts'
import { partialFile, type PartialFile } from './partialFile.ts'
import { keyOf, mayBegin, type Place } from './place.ts'

/** Sealed messages, one file each: `<yyyy>/<mm>/<dd>/<message id>.age`. */
export type ObjectFiles = {
  create(place: Place): PartialFile
  has(place: Place): boolean
  /** Chunks of at most 256 KiB. Rejects with `object-missing`. */
  open(place: Place): AsyncIterable<Uint8Array>
  /** Durable when it resolves, with whether there was one. */
  remove(place: Place): Promise<boolean>
  list(prefix: string): AsyncIterable<VaultEntry>
}

const chunkSize = 256 << 10
const fileName = /^(.+)\.age$/
const isMissing = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** Removes what writers that died left behind: partial files that nobody has written to since `before` (milliseconds). */
const sweep = (directory: string, before: number): void => {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) sweep(path, before)
    else if (entry.name.endsWith('.partial') && (statIfThere(path)?.mtimeMs ?? Infinity) < before)
      rmSync(path, { force: true })
  }
}

/** Nothing for what another process has removed in the meantime. */
const statIfThere = (path: string) => statSync(path, { throwIfNoEntry: false })

async function* chunksOf(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (;;) {
    // A buffer of its own each time: the chunk now belongs to whoever asked for it.
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafeSlow(chunkSize), 0, chunkSize, null)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

/** Directories in `directory` that hold keys of the prefix, as `[path, yyyy-mm-dd]`; any level may be missing. */
async function* daysOf(directory: string, prefix: string, depth = 3, part = ''): AsyncGenerator<[string, string]> {
  if (depth === 0) yield [directory, part]
  if (depth === 0) return
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const next = part === '' ? entry.name : `${part}-${entry.name}`
    if (entry.isDirectory() && mayBegin(next, prefix))
      yield* daysOf(join(directory, entry.name), prefix, depth - 1, next)
  }
}

async function* entriesOf(directory: string, day: string, prefix: string): AsyncGenerator<VaultEntry> {
  for (const name of await readdir(directory)) {
    const key = keyOf(day, fileName.exec(name)?.[1] ?? '')
    if (!isVaultKey(key) || !key.startsWith(prefix)) continue
    const found = await stat(join(directory, name)).catch(ignoreMissing)
    if (found !== undefined) yield { key, size: found.size }
  }
}

/** It was removed in the meantime. */
const ignoreMissing = (error: unknown) => {
  if (!isMissing(error)) throw error
  return undefined
}

export type ObjectFilesPlace = {
  /** The vault's directory. Has to exist: while it is away, or another is in its place, nothing is made or missing. */
  readonly root: string
  /** Where in it the files lie; empty for the root itself. */
  readonly below: string
  /** Partial files of writers that died before then (milliseconds since the epoch) are removed at once. */
  readonly sweepBefore: number
}

export const objectFiles = ({ root, below, sweepBefore }: ObjectFilesPlace): ObjectFiles => {
  const directory = join(root, below)
  const mark = markOf(root)
  makeDirectoryBelow(root, directory)
  sweep(directory, sweepBefore)
  const durableDays = new Set<string>()
  const pathOf = ({ day, id }: Place) => join(directory, ...day.split('-'), `${id}.age`)

  return {
    create: (place) => {
      const path = pathOf(place)
      if (!durableDays.has(place.day)) {
        mark.check()
        makeDirectoryBelow(root, dirname(path))
      }
      durableDays.add(place.day)
      return partialFile(path)
    },
    has: (place) => existsSync(pathOf(place)),
    open: async function* (place) {
      const file = await open(pathOf(place), 'r').catch(ignoreMissing)
      if (file === undefined) {
        mark.check()
        throw new GatewayError('object-missing')
      }
      try {
        yield* chunksOf(file)
      } finally {
        await file.close()
      }
    },
    remove: async (place) => {
      const path = pathOf(place)
      if (!existsSync(path)) {
        mark.check()
        return false
      }
      await unlink(path).catch(ignoreMissing)
      await syncDirectory(dirname(path))
      return true
    },
    list: async function* (prefix) {
      mark.check()
      for await (const [path, day] of daysOf(directory, prefix)) yield* entriesOf(path, day, prefix)
    },
  }
}
