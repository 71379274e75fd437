import { withData } from '../config.ts'
import type { Offline } from '../offline.ts'
import { type Given, type Io, UsageError } from './command.ts'
import { configured } from './configured.ts'

/**
 * Works on the data directory of `--data` without its gateway, and lets go of it however the work ends. Log, vault and keys
 * are where the configuration puts them, by default in that directory.
 */
export const onData = async (given: Given, io: Io, work: (data: Offline) => Promise<void>): Promise<void> => {
  mustBeHere(given)
  // Loaded only here: the commands that talk to a gateway need no database.
  const { offline } = await import('../offline.ts')
  const data = await offline(withData(configured(given, io), given.optional('data') ?? '', io.cwd))
  try {
    await work(data)
  } finally {
    await data.close()
  }
}

/** Throws `UsageError` when the data directory and a gateway elsewhere are given both. */
export const mustBeHere = (given: Given): void => {
  if (given.optional('url') !== undefined) throw new UsageError('Give --data or --url, not both')
}
