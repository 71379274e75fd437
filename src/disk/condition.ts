import { accessSync, constants, statfsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { GatewayError } from '../core/errors.ts'
import type { Mark } from './mark.ts'

/** How a directory is at the moment. */
export type Condition = {
  /** Why nothing can be written there, without the name of any path. */
  readonly problem: string | undefined
  /** Octets for which its file system has room; 0 when that is not known. */
  readonly free: number
}

/** Writes nothing. With a mark, a directory in the place of the one that had it is a problem. */
export const conditionOf = (directory: string, mark?: Mark): Condition => {
  try {
    mark?.check()
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
    const { bavail, bsize } = statfsSync(directory)
    return { problem: undefined, free: bavail * bsize }
  } catch (error) {
    return { problem: problemOf(error), free: 0 }
  }
}

/** Octets for which there is room in the directory that has the least; rejects when one cannot be looked at. */
export const leastFree = async (directories: readonly string[]): Promise<number> => {
  const found = await Promise.all(directories.map((directory) => statfs(directory)))
  return Math.min(...found.map(({ bavail, bsize }) => bavail * bsize))
}

const problemOf = (error: unknown) =>
  error instanceof GatewayError
    ? 'the directory is not the one of the start: is its file system mounted?'
    : `the directory cannot be written to (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`
