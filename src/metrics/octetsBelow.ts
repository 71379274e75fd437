import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Octets of all files in the directory and below it, one after the other. What goes meanwhile is not counted. */
export const octetsBelow = async (directory: string): Promise<number> => {
  let octets = 0
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    const path = join(directory, entry.name)
    octets += entry.isDirectory() ? await octetsBelow(path) : await octetsOf(path)
  }
  return octets
}

/** Octets of a file; 0 where there is none. */
export const octetsOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  )
