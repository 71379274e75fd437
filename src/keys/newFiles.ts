import { GatewayError } from '../core/errors.ts'
import type { KeyStore } from '../core/ports.ts'
import { fileName, type NewFile } from './fileNames.ts'
import { sha256Of } from './ring.ts'

/** Where new files go: of a mailbox, for the event at this revision of its stream, which is to name them. */
export type Place = Pick<NewFile, 'mailboxId' | 'revision'>

/** What the event says of files that are durable, and their names. */
export type Made<T> = T & { readonly written: readonly string[] }

/** Writes a file and gives its SHA-256, hex. */
export type WriteFile = (file: Pick<NewFile, 'generation' | 'kind'>, bytes: Uint8Array) => Promise<string>

/**
 * Does work that writes files; all of them are durable when it resolves. What it has written is removed when it fails.
 * Never overwrites: what is there may be all that opens its mail, and is answered with `mailbox-conflict`.
 */
export const makeFiles = async <T extends object>(
  store: Pick<KeyStore, 'add' | 'remove'>,
  place: Place,
  work: (write: WriteFile) => Promise<T>,
): Promise<Made<T>> => {
  const written: string[] = []
  const write: WriteFile = async (file, bytes) => {
    const sha256 = sha256Of(bytes)
    const name = fileName({ ...place, ...file, sha256 })
    if (!(await store.add(name, bytes))) throw new GatewayError('mailbox-conflict')
    written.push(name)
    return sha256
  }
  try {
    return { ...(await work(write)), written }
  } catch (error) {
    await removeFiles(store, written).catch(() => undefined)
    throw error
  }
}

/** Removes files by their names; what is not there is no failure. */
export const removeFiles = async (store: Pick<KeyStore, 'remove'>, names: readonly string[]): Promise<void> => {
  for (const name of names) await store.remove(name)
}
