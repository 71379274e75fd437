import { randomBytes } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { link, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { GatewayError } from '../core/errors.ts'
import type { KeyStore } from '../core/ports.ts'
import { makeDirectoryBelow, syncDirectory } from '../disk/durable.ts'
import { markOf } from '../disk/mark.ts'

const wordPattern = /^[a-z0-9-][a-z0-9.-]*$/
const longestName = 200

const isName = (name: string) => name.length <= longestName && name.split('/').every((word) => wordPattern.test(word))

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : undefined)

const asStorageError = (error: unknown): GatewayError => {
  if (error instanceof GatewayError) return error
  const code = codeOf(error)
  return new GatewayError(code === 'ENOSPC' || code === 'EDQUOT' ? 'storage-full' : 'storage-failed', { cause: error })
}

const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    throw asStorageError(error)
  }
}

/** `otherwise` when what was asked for does not exist. */
const unlessMissing = async <T, U>(work: Promise<T>, otherwise: U): Promise<T | U> => {
  try {
    return await work
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return otherwise
    throw error
  }
}

/** Writes, flushes, then gives it its name. A name of its own for each attempt, of a kind that no key can have. */
const writeFile = async (path: string, value: Uint8Array, name: typeof rename): Promise<void> => {
  const partial = join(dirname(path), `.${randomBytes(8).toString('hex')}.partial`)
  try {
    const file = await open(partial, 'wx', 0o600)
    try {
      await file.writeFile(value)
      await file.sync()
    } finally {
      await file.close()
    }
    await name(partial, path)
  } finally {
    await rm(partial, { force: true })
  }
}

const namesIn = async (root: string, part: string): Promise<readonly string[]> => {
  const entries = await unlessMissing(readdir(join(root, part), { withFileTypes: true }), [] as Dirent[])
  const named = entries.filter(({ name }) => wordPattern.test(name))
  const nested = named.map(async (entry) => {
    const name = part === '' ? entry.name : `${part}/${entry.name}`
    return entry.isDirectory() ? namesIn(root, name) : [name]
  })
  return (await Promise.all(nested)).flat()
}

/**
 * The key store in a directory: one file of mode 0600 for each name, directories of mode 0700. Names that are none are
 * refused with `request-invalid`; failures are `storage-full` or `storage-failed`, so is a directory that is away, or another
 * one in its place. The directory has to exist; processes may share it.
 */
export const keyFiles = ({ dir }: { readonly dir: string }): KeyStore => {
  const root = resolve(dir)
  const mark = markOf(root)
  /** What is missing in a directory that is away is not missing. */
  const there = <T>(found: T, none: (found: T) => boolean): T => {
    if (none(found)) mark.check()
    return found
  }
  const pathOf = (name: string) => {
    if (!isName(name)) throw new GatewayError('request-invalid', { detail: 'Not a name of a key' })
    return join(root, name)
  }
  const write = async (name: string, value: Uint8Array, place: typeof rename) => {
    const path = pathOf(name)
    mark.check()
    makeDirectoryBelow(root, dirname(path))
    await writeFile(path, value, place)
    await syncDirectory(dirname(path))
  }
  return {
    put: (name, value) => guarded(() => write(name, value, rename)),
    add: (name, value) =>
      guarded(() =>
        write(name, value, link).then(
          () => true,
          (error: unknown) => {
            if (codeOf(error) === 'EEXIST') return false
            throw error
          },
        ),
      ),
    get: (name) =>
      guarded(async () =>
        there(await unlessMissing(readFile(pathOf(name)), undefined), (value) => value === undefined),
      ),
    remove: (name) =>
      guarded(async () => {
        const path = pathOf(name)
        const removed = await unlessMissing(
          unlink(path).then(() => true),
          false,
        )
        if (there(removed, (one) => !one)) await syncDirectory(dirname(path))
      }),
    list: (prefix) =>
      guarded(async () => {
        // The deepest directory that holds everything of the prefix.
        const part = prefix.slice(0, Math.max(0, prefix.lastIndexOf('/')))
        if (part !== '' && !isName(part)) return []
        const names = await namesIn(root, part)
        const found = names.filter((name) => name.startsWith(prefix)).sort()
        return there(found, ({ length }) => length === 0)
      }),
  }
}
