import { GatewayError } from '../core/errors.ts'
import type { WrappedIdentity } from '../core/events.ts'
import { type Generation, type Keyring, newestGeneration, openersOf } from '../core/keyring.ts'
import type { KeyStore } from '../core/ports.ts'
import type { Secret } from '../core/secret.ts'
import { sealBytes } from '../seal/age.ts'
import { parseRecipient, recipientOf } from '../seal/x25519.ts'
import {
  freshIdentity,
  type GivenPassword,
  type NewIdentity,
  recoveryRecipient,
  wrapUnderPassword,
} from './identities.ts'
import { type Made, makeFiles, type WriteFile } from './newFiles.ts'
import { damagedOf, type Ring } from './ring.ts'
import type { Unlocked } from './unlock.ts'

// New files for identities that were opened. Each function only adds: the event that names the files follows, and what
// they replace goes when they have been used.

type Files = Pick<KeyStore, 'add' | 'remove'>
/** At least one of them. */
type Opened = readonly Unlocked[]

const placeOf = ({ mailboxId, revision }: Ring) => ({ mailboxId, revision: revision + 1 })
const clearOf = ({ text }: Unlocked) => Buffer.from(text.reveal())

/** Wraps identities to the recipient of a newer generation. */
const wrapTo = async (
  write: WriteFile,
  identities: Opened,
  to: { readonly generation: number; readonly recipient: string },
): Promise<readonly WrappedIdentity[]> => {
  const recipient = parseRecipient(to.recipient)
  const wrapped: WrappedIdentity[] = []
  for (const one of identities) {
    const { generation } = one
    const sha256 = await write({ generation, kind: 'identity' }, sealBytes([recipient], clearOf(one)))
    wrapped.push({ generation, sha256, wrappedTo: to.generation })
  }
  return wrapped
}

/**
 * What was opened is opened by the password afterwards: the newest is wrapped under it, and to that one all others, those
 * too whose files were damaged. Rejects with `identity-older` where that would take something from another password.
 */
export const rewrapIdentities = async (
  store: Files & Pick<KeyStore, 'get' | 'list'>,
  ring: Ring,
  { opened, given }: { readonly opened: Opened; readonly given: GivenPassword },
): Promise<Made<{ readonly password: Secret; readonly identities: readonly WrappedIdentity[] }>> => {
  await mustTakeNothing(store, ring, opened)
  return makeFiles(store, placeOf(ring), async (write) => {
    const newest = newestOf(opened)
    const others = opened.filter((one) => one !== newest)
    const { password, bytes } = await wrapUnderPassword(clearOf(newest), given)
    const { generation } = newest
    const sha256 = await write({ generation, kind: 'identity' }, bytes)
    const wrapped = await wrapTo(write, others, { generation, recipient: recipientOf(newest.identity) })
    return { password, identities: [...wrapped, { generation, sha256, wrappedTo: 'password' }] }
  })
}

/**
 * An identity that was opened by itself, while a newer one that was not opens it for whoever has that one's password, is
 * theirs too. Unless no password opens it, because a file on the way is damaged.
 */
const mustTakeNothing = async (store: Pick<KeyStore, 'get' | 'list'>, ring: Ring, opened: Opened) => {
  const isOpen = ({ generation }: Generation) => opened.some((one) => one.generation === generation)
  const openers = ring.keyring.generations.filter(isOpen).map((one) => openersOf(ring.keyring, one))
  const shut = openers.filter(([nearest]) => nearest && !isOpen(nearest))
  if (shut.length === 0) return
  const damaged = await damagedOf(store, ring)
  for (const way of shut) {
    const last = way.at(-1)
    if (!last || way.some(({ generation }) => damaged.includes(generation))) continue
    const needed = `the identity of key ${last.generation} (${last.recipient}), or the recovery identity`
    throw new GatewayError('identity-older', { detail: `A newer key opens what that identity does: give ${needed}` })
  }
}

export type RotatedKey = Omit<NewIdentity, 'password' | 'identitySha256'> & {
  readonly identities: readonly WrappedIdentity[]
}

/** A new generation under the same password, and to it everything that was opened. */
export const rotateKey = (
  store: Files,
  ring: Ring,
  { opened, password }: { readonly opened: Opened; readonly password: Secret },
): Promise<Made<RotatedKey>> =>
  makeFiles(store, placeOf(ring), async (write) => {
    const generation = nextGeneration(ring.keyring)
    const given = { password, logN: newestOf(opened).logN }
    const fresh = await freshIdentity(write, { generation, given, recovery: ring.keyring.recovery })
    const { recipient, identitySha256: sha256, recoverySha256 } = fresh
    const wrapped = await wrapTo(write, opened, { generation, recipient })
    const identities = [...wrapped, { generation, sha256, wrappedTo: 'password' as const }]
    return { generation, recipient, recoverySha256, identities }
  })

/** A new generation under a new password; the older ones stay as they are. */
export const resetPassword = (store: Files, ring: Ring, given: GivenPassword): Promise<Made<NewIdentity>> =>
  makeFiles(store, placeOf(ring), (write) =>
    freshIdentity(write, { generation: nextGeneration(ring.keyring), given, recovery: ring.keyring.recovery }),
  )

/** What was opened, wrapped to a recovery recipient as well; null: to none any more. */
export const setRecovery = (
  store: Files,
  ring: Ring,
  { opened, recipient }: { readonly opened: Opened; readonly recipient: string | null },
): Promise<Made<{ readonly files: readonly { readonly generation: number; readonly sha256: string | null }[] }>> =>
  makeFiles(store, placeOf(ring), async (write) => {
    const to = recipient === null ? undefined : recoveryRecipient(recipient)
    const files: { readonly generation: number; readonly sha256: string | null }[] = []
    for (const one of opened) {
      const { generation } = one
      const sha256 = to && (await write({ generation, kind: 'recovery' }, sealBytes([to], clearOf(one))))
      files.push({ generation, sha256: sha256 ?? null })
    }
    return { files }
  })

const nextGeneration = (keyring: Keyring) => (newestGeneration(keyring)?.generation ?? 0) + 1

const newestOf = (opened: Opened): Unlocked => {
  const newest = opened.at(-1)
  if (!newest) throw new TypeError('no identity was opened')
  return newest
}
