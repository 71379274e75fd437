import { resolve } from 'node:path'
import type { Offline } from '../offline.ts'

/** Works on a data directory without its gateway, and lets go of it however the work ends. */
export const onData = async (directory: string, cwd: string, work: (data: Offline) => Promise<void>): Promise<void> => {
  // Loaded only here: the commands that talk to a gateway need no database.
  const { offline } = await import('../offline.ts')
  const data = offline(resolve(cwd, directory))
  try {
    await work(data)
  } finally {
    await data.close()
  }
}
