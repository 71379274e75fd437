import { randomBytes } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { link, mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { GatewayError } from '../core/errors.ts'
import type { KeyStore } from '../core/ports.ts'

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

const syncDirectory = async (path: string): Promise<void> => {
  // Windows can neither open nor flush a directory.
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
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

/** Flushes the names of all directories from the file's up to the parent of `root`. */
const syncNames = async (path: string, root: string): Promise<void> => {
  for (let at = dirname(path); at.length >= root.length; at = dirname(at)) await syncDirectory(at)
  await syncDirectory(dirname(root))
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
 * refused with `request-invalid`; failures are `storage-full` or `storage-failed`. Processes may share the directory.
 */
export const keyFiles = ({ dir }: { readonly dir: string }): KeyStore => {
  const root = resolve(dir)
  const pathOf = (name: string) => {
    if (!isName(name)) throw new GatewayError('request-invalid', { detail: 'Not a name of a key' })
    return join(root, name)
  }
  const write = async (name: string, value: Uint8Array, place: typeof rename) => {
    const path = pathOf(name)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFile(path, value, place)
    await syncNames(path, root)
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
    get: (name) => guarded(async () => unlessMissing(readFile(pathOf(name)), undefined)),
    remove: (name) =>
      guarded(async () => {
        const path = pathOf(name)
        const removed = await unlessMissing(
          unlink(path).then(() => true),
          false,
        )
        if (removed) await syncDirectory(dirname(path))
      }),
    list: (prefix) =>
      guarded(async () => {
        // The deepest directory that holds everything of the prefix.
        const part = prefix.slice(0, Math.max(0, prefix.lastIndexOf('/')))
        if (part !== '' && !isName(part)) return []
        const names = await namesIn(root, part)
        return names.filter((name) => name.startsWith(prefix)).sort()
      }),
  }
}
