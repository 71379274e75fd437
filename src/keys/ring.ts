import { createHash } from 'node:crypto'
import { GatewayError } from '../core/errors.ts'
import type { MailboxId } from '../core/ids.ts'
import { type KeyFile, type Keyring, keyFilesOf } from '../core/keyring.ts'
import type { KeyStore } from '../core/ports.ts'
import { directoryOf, mayBe, parseFileName } from './fileNames.ts'

/** What the stream of a mailbox says of its keys, up to a revision. */
export type Ring = { readonly mailboxId: MailboxId; readonly revision: number; readonly keyring: Keyring }

export const sha256Of = (file: Uint8Array) => createHash('sha256').update(file).digest('hex')

export type FoundFile = { readonly name: string; readonly bytes: Uint8Array }

type Named = { readonly mailboxId: MailboxId; readonly names: readonly string[] }

/** The file that the log names, by its digest; undefined when there is none or its octets are others. */
const findFile = async (
  store: Pick<KeyStore, 'get'>,
  { mailboxId, names }: Named,
  { generation, kind, sha256 }: KeyFile,
): Promise<FoundFile | undefined> => {
  for (const name of names) {
    const parsed = parseFileName(mailboxId, name)
    if (parsed?.generation !== generation || parsed.kind !== kind || !mayBe(parsed, sha256)) continue
    const bytes = await store.get(name)
    if (bytes && sha256Of(bytes) === sha256) return { name, bytes }
  }
  return undefined
}

/** The same; `storage-failed` in place of undefined. */
export const namedFile = async (store: Pick<KeyStore, 'get'>, place: Named, file: KeyFile): Promise<FoundFile> => {
  const found = await findFile(store, place, file)
  if (found) return found
  const { generation, kind } = file
  const what = kind === 'recovery' ? 'recovery file' : 'identity'
  const cause = new Error(
    `${directoryOf(place.mailboxId)} has no ${what} of generation ${generation} that the log names`,
  )
  throw new GatewayError('storage-failed', { cause })
}

/** The names of all files of a mailbox. */
export const namesOf = (store: Pick<KeyStore, 'list'>, mailboxId: MailboxId) => store.list(directoryOf(mailboxId))

/** The generations whose identity file is missing or damaged. */
export const damagedOf = async (
  store: Pick<KeyStore, 'get' | 'list'>,
  { mailboxId, keyring }: Ring,
): Promise<readonly number[]> => {
  const names = await namesOf(store, mailboxId)
  const damaged: number[] = []
  for (const { generation, sha256 } of keyring.generations)
    if (!(await findFile(store, { mailboxId, names }, { generation, sha256, kind: 'identity' })))
      damaged.push(generation)
  return damaged
}

/**
 * Files that no event names and none ever will: what a change has replaced, or what one has left that came to nothing.
 * Of `generations` only, and of those that the log does not know. None as long as any file that the log names is damaged or
 * missing: what it had replaced, or another one of the mailbox, may be all that still opens mail. A file that somebody is
 * about to name is none of them.
 */
export const leftoversOf = async (
  store: Pick<KeyStore, 'get' | 'list'>,
  { mailboxId, revision, keyring }: Ring,
  generations: readonly number[],
): Promise<readonly string[]> => {
  const names = await namesOf(store, mailboxId)
  const wanted = keyFilesOf(keyring)
  if (names.length <= wanted.length) return []
  const found = await Promise.all(wanted.map((one) => findFile(store, { mailboxId, names }, one)))
  if (found.includes(undefined)) return []
  const known = new Set(keyring.generations.map(({ generation }) => generation))
  const named = new Set(found.map((file) => file?.name))
  return names.filter((name) => {
    const parsed = parseFileName(mailboxId, name)
    if (!parsed || named.has(name) || parsed.revision > revision) return false
    return !known.has(parsed.generation) || generations.includes(parsed.generation)
  })
}
