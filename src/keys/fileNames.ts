import type { MailboxId } from '../core/ids.ts'
import type { KeyFile } from '../core/keyring.ts'

/**
 * How files with identities are named. The first of a mailbox are `1.age` and `1.recovery.age`. All others carry the
 * revision at which the mailbox's stream may come to name them, and the beginning of their own digest: no two are named
 * alike, and once the stream has that revision without naming a file, it never will.
 */
export type FileName = {
  readonly generation: number
  readonly kind: KeyFile['kind']
  readonly revision: number
  /** Undefined of the first. */
  readonly digest: string | undefined
}

export const directoryOf = (mailboxId: MailboxId) => `mailboxes/${mailboxId}/`

const digestLength = 16
const form = /^(\d{1,9})(\.recovery)?(?:\.(\d{1,15})\.([0-9a-f]{16}))?\.age$/

export type NewFile = {
  readonly mailboxId: MailboxId
  readonly generation: number
  readonly kind: FileName['kind']
  /** Of the event that is to name it; 0 is the mailbox's creation. */
  readonly revision: number
  readonly sha256: string
}

export const fileName = ({ mailboxId, generation, kind, revision, sha256 }: NewFile): string => {
  const which = kind === 'recovery' ? `${generation}.recovery` : String(generation)
  const unique = revision === 0 ? '' : `.${revision}.${sha256.slice(0, digestLength)}`
  return `${directoryOf(mailboxId)}${which}${unique}.age`
}

/** Undefined for a name of another form. */
export const parseFileName = (mailboxId: MailboxId, name: string): FileName | undefined => {
  const directory = directoryOf(mailboxId)
  const [, generation, recovery, revision = '0', digest] = form.exec(name.slice(directory.length)) ?? []
  if (!name.startsWith(directory) || generation === undefined) return undefined
  return {
    generation: Number(generation),
    kind: recovery === undefined ? 'identity' : 'recovery',
    revision: Number(revision),
    digest,
  }
}

/** Whether the file of this name may be the one of that digest. */
export const mayBe = ({ digest }: FileName, sha256: string): boolean =>
  digest === undefined || sha256.startsWith(digest)
