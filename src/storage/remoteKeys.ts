import type { MailboxId, SessionId } from '../core/ids.ts'
import type { KeyFile } from '../core/keyring.ts'
import { Secret } from '../core/secret.ts'
import type { NewIdentity } from '../keys/identities.ts'
import type { Made } from '../keys/newFiles.ts'
import type { resetPassword, rewrapIdentities, rotateKey, setRecovery } from '../keys/rewrap.ts'
import type { Ring } from '../keys/ring.ts'
import type { Proof } from '../keys/unlock.ts'
import type { Call } from './calls.ts'
import type { StorageMethods } from './storageThread.ts'

/** What a proof has opened. */
export type UnlockedGenerations = {
  readonly generations: readonly number[]
  /** Those that nobody can open, because a key file is damaged or missing. */
  readonly damaged: readonly number[]
  /** Files that have been replaced, or were never named, and can be removed. */
  readonly leftovers: readonly string[]
}

type Result<F extends (...args: never) => unknown> = ReturnType<F>

/** Keys as the main thread sees them: identities never come here. Files are durable when a promise of them resolves. */
export type Keys = {
  createIdentity(of: {
    readonly mailboxId: MailboxId
    readonly generation: number
    readonly recovery?: string | undefined
  }): Promise<Made<NewIdentity>>
  /** Every generation's; durable when it resolves. */
  removeIdentities(mailboxId: MailboxId): Promise<void>
  removeKeyFiles(names: readonly string[]): Promise<void>
  /** A file with an identity that the log names, as stored. */
  keyFile(mailboxId: MailboxId, wanted: KeyFile): Promise<Uint8Array>
  /**
   * What the proof opens of the ring, which `sessionId` has at hand until `lock`; undefined when it opens nothing. No ring
   * costs the same time and opens nothing. Rejects as `unlockIdentities` does.
   */
  unlock(sessionId: SessionId, ring: Ring | undefined, proof: Proof): Promise<UnlockedGenerations | undefined>
  lock(sessionId: SessionId): void
  /** These work on what the session has opened; see src/keys/rewrap.ts. */
  rewrapIdentities(sessionId: SessionId, ring: Ring, password: Secret | undefined): Result<typeof rewrapIdentities>
  rotateKey(sessionId: SessionId, ring: Ring, password: Secret): Result<typeof rotateKey>
  setRecovery(sessionId: SessionId, ring: Ring, recipient: string | null): Result<typeof setRecovery>
  resetPassword(ring: Ring, password: Secret | undefined): Result<typeof resetPassword>
}

const secret = <T extends { readonly password: string }>(made: T) => ({ ...made, password: new Secret(made.password) })

export const remoteKeys = (call: Call<StorageMethods>): Keys => ({
  createIdentity: async (of) => secret(await call('createIdentity', of)),
  removeIdentities: (mailboxId) => call('removeIdentities', { mailboxId }),
  removeKeyFiles: (names) => call('removeKeyFiles', { names }),
  keyFile: (mailboxId, wanted) => call('keyFile', { mailboxId, wanted }),
  unlock: (sessionId, ring, proof) =>
    call('unlock', {
      sessionId,
      ring,
      proof:
        'password' in proof
          ? { password: proof.password.reveal(), atMost: proof.atMost }
          : { identity: proof.identity.reveal() },
    }),
  lock: (sessionId) => void call('lock', { sessionId }).catch(() => undefined),
  rewrapIdentities: async (sessionId, ring, password) =>
    secret(await call('rewrapIdentities', { sessionId, ring, password: password?.reveal() })),
  rotateKey: (sessionId, ring, password) => call('rotateKey', { sessionId, ring, password: password.reveal() }),
  setRecovery: (sessionId, ring, recipient) => call('setRecovery', { sessionId, ring, recipient }),
  resetPassword: async (ring, password) => secret(await call('resetPassword', { ring, password: password?.reveal() })),
})
