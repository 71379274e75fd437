import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { GatewayError } from '../core/errors.ts'
import { addFileNow, makeDirectory } from './durable.ts'

/** The file in a directory that says which one it is: a mount that is away leaves another directory, or none, there. */
export const markName = '.sealpost'

const idIn = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

export type Mark = {
  /** Throws `storage-failed` unless the directory is the one that it was. */
  check(): void
}

/** The mark that the directory has now. */
export const markOf = (directory: string): Mark => {
  const path = join(resolve(directory), markName)
  const known = idIn(path)
  return {
    check: () => {
      const found = idIn(path)
      if (found === known) return
      const cause = new Error(
        `${path} is ${found === undefined ? 'missing: is the file system mounted?' : 'another one'}`,
      )
      throw new GatewayError('storage-failed', { cause })
    },
  }
}

export type Recognition = {
  readonly directory: string
  /** What lies there, for the sentence of a refusal. */
  readonly what: 'vault' | 'key'
  /** The file that remembers which directory it is. */
  readonly memory: string
}

/**
 * Throws `start-refused`, saying what to do, when the directory is not the one of the last start. Without a last start any
 * directory will do.
 */
export const mustBeTheSame = ({ directory, what, memory }: Recognition): void => {
  const root = resolve(directory)
  const path = join(root, markName)
  const remembered = idIn(memory)
  const found = idIn(path)
  if (remembered !== undefined && found !== remembered) throw refusal({ root, path, what, memory, remembered, found })
}

/** The same; the first start makes the directory, or takes the one that another gateway has made, and remembers it. */
export const recognise = (recognition: Recognition): void => {
  mustBeTheSame(recognition)
  const { directory, memory } = recognition
  const root = resolve(directory)
  const path = join(root, markName)
  if (idIn(memory) === undefined) addFileNow(memory, `${idIn(path) ?? marked(root, path)}\n`)
}

const marked = (root: string, path: string): string => {
  makeDirectory(root)
  const made = randomUUID()
  if (addFileNow(path, `${made}\n`)) return made
  // Another gateway was first.
  return idIn(path) ?? made
}

type Strange = Omit<Recognition, 'directory'> & {
  readonly root: string
  readonly path: string
  readonly remembered: string
  readonly found: string | undefined
}

const refusal = ({ root, path, what, memory, remembered, found }: Strange) => {
  const detail =
    found === undefined
      ? `The ${what} directory ${root} ${existsSync(root) ? `is not the one of the last start: it has no ${markName}` : 'is not there'}. Is its file system mounted? If it was restored without that file, write ${remembered} into ${path}.`
      : `The ${what} directory ${root} is not the one of the last start: its ${markName} says ${found}, not ${remembered}. If that is meant, remove ${memory}.`
  return new GatewayError('start-refused', { detail })
}
