import type { Recorded, WrappedIdentity } from './events.ts'

/** A key generation of a mailbox, and the files that hold its identity. */
export type Generation = WrappedIdentity & {
  /** age recipient (`age1…`) under which its mail is sealed. */
  readonly recipient: string
  /** ISO 8601. */
  readonly createdAt: string
  /** The same identity wrapped to an age recipient: to whom, and the file's SHA-256, hex. */
  readonly recovery: { readonly recipient: string; readonly sha256: string } | null
}

/** What opens the mail of a mailbox, as its stream tells it. */
export type Keyring = {
  /** The oldest first. New mail is sealed under the last. */
  readonly generations: readonly Generation[]
  /** The age recipient to whom the identities of new generations are wrapped as well. */
  readonly recovery: string | null
}

/**
 * Files that a login is tried on. Each reset leaves one more that another password opens, and each costs one scrypt: of
 * chosen passwords, about ten seconds in all.
 */
export const triedAtLogin = 8

export const emptyKeyring: Keyring = { generations: [], recovery: null }

export const newestGeneration = ({ generations }: Keyring): Generation | undefined => generations.at(-1)

/** Whether the files that the log names are the same. */
export const isSameKeyring = (one: Keyring, other: Keyring): boolean => JSON.stringify(one) === JSON.stringify(other)

/** What has to be opened before a generation's identity is, the nearest first: the last one opens by a password. */
export const openersOf = ({ generations }: Keyring, { wrappedTo }: Generation): readonly Generation[] => {
  const openers: Generation[] = []
  for (let to = wrappedTo; typeof to === 'number' && openers.length < generations.length;) {
    const next = generations.find(({ generation }) => generation === to)
    if (!next) break
    openers.push(next)
    to = next.wrappedTo
  }
  return openers
}

/** The keyring after one more event of the mailbox's stream. */
export const keyringAfter = (keyring: Keyring, event: Recorded): Keyring => {
  const { generations, recovery } = keyring
  const createdAt = event.metadata.at
  switch (event.type) {
    case 'MailboxCreated': {
      const { generation, recipient, identitySha256: sha256, recovery: first = null } = event.data
      const only = { generation, recipient, createdAt, sha256, wrappedTo: 'password', recovery: first } as const
      return { generations: [only], recovery: first?.recipient ?? null }
    }
    case 'MailboxPasswordChanged':
    case 'MailboxRecovered':
      return { generations: generations.map(rewrapped(event.data.identities)), recovery }
    case 'MailboxKeyRotated': {
      const { generation, recipient, identities, recoverySha256 } = event.data
      const blank = { generation, recipient, createdAt, sha256: '', wrappedTo: 'password' } as const
      const added = { ...blank, recovery: recoveryOf(recovery, recoverySha256) }
      return { generations: [...generations, added].map(rewrapped(identities)), recovery }
    }
    case 'MailboxPasswordReset': {
      const { generation, recipient, identitySha256: sha256, recoverySha256 } = event.data
      const made = { generation, recipient, createdAt, sha256, wrappedTo: 'password' } as const
      return { generations: [...generations, { ...made, recovery: recoveryOf(recovery, recoverySha256) }], recovery }
    }
    case 'MailboxRecoverySet': {
      const { recipient, files } = event.data
      const changed = (one: Generation): Generation => {
        const file = files.find(({ generation }) => generation === one.generation)
        return file ? { ...one, recovery: recoveryOf(recipient, file.sha256 ?? undefined) } : one
      }
      return { generations: generations.map(changed), recovery: recipient }
    }
    default:
      return keyring
  }
}

const recoveryOf = (recipient: string | null, sha256: string | undefined): Generation['recovery'] =>
  recipient === null || sha256 === undefined ? null : { recipient, sha256 }

const rewrapped =
  (identities: readonly WrappedIdentity[]) =>
  (one: Generation): Generation => ({
    ...one,
    ...identities.find(({ generation }) => generation === one.generation),
  })

/** A file that the log names: of a generation, its identity or the one wrapped to the recovery recipient. */
export type KeyFile = Pick<Generation, 'generation' | 'sha256'> & { readonly kind: 'identity' | 'recovery' }

export const keyFilesOf = ({ generations }: Keyring): readonly KeyFile[] =>
  generations.flatMap(({ generation, sha256, recovery }) => [
    { generation, sha256, kind: 'identity' as const },
    ...(recovery ? [{ generation, sha256: recovery.sha256, kind: 'recovery' as const }] : []),
  ])
