import { GatewayError } from '../core/errors.ts'
import type { MailboxId, SessionId } from '../core/ids.ts'
import type { KeyFile } from '../core/keyring.ts'
import type { KeyStore } from '../core/ports.ts'
import { Secret } from '../core/secret.ts'
import { createIdentity, type GivenPassword, removeIdentities } from '../keys/identities.ts'
import { removeFiles } from '../keys/newFiles.ts'
import { resetPassword, rewrapIdentities, rotateKey, setRecovery } from '../keys/rewrap.ts'
import { leftoversOf, namedFile, namesOf, type Ring } from '../keys/ring.ts'
import { unlockIdentities, type Unlocked } from '../keys/unlock.ts'

/** A proof as it crosses between threads. */
export type SentProof =
  { readonly password: string; readonly atMost?: number | undefined } | { readonly identity: string }

type OfSession = { readonly sessionId: SessionId; readonly ring: Ring }

const proofOf = (sent: SentProof) =>
  'password' in sent
    ? { password: new Secret(sent.password), atMost: sent.atMost }
    : { identity: new Secret(sent.identity) }

const revealed = <T extends { readonly password: Secret }>(made: T) => ({ ...made, password: made.password.reveal() })

/** What the storage thread does with keys; `unlocked` is what sessions have opened, `logN` scrypt's cost if not the usual one. */
export const keyMethods = (
  keys: KeyStore,
  unlocked: Map<SessionId, readonly Unlocked[]>,
  { logN }: Pick<GivenPassword, 'logN'> = {},
) => {
  const givenOf = (password?: string): GivenPassword => ({
    password: password === undefined ? undefined : new Secret(password),
    logN,
  })
  const openedBy = (sessionId: SessionId) => {
    const opened = unlocked.get(sessionId)
    if (!opened) throw new GatewayError('connection-lost')
    return opened
  }
  return {
    createIdentity: async (q: { mailboxId: MailboxId; generation: number; recovery?: string | undefined }) =>
      revealed(await createIdentity(keys, { ...q, given: givenOf() })),
    removeIdentities: (q: { mailboxId: MailboxId }) => removeIdentities(keys, q.mailboxId),
    removeKeyFiles: (q: { names: readonly string[] }) => removeFiles(keys, q.names),
    keyFile: async ({ mailboxId, wanted }: { mailboxId: MailboxId; wanted: KeyFile }) => {
      const { bytes } = await namedFile(keys, { mailboxId, names: await namesOf(keys, mailboxId) }, wanted)
      return bytes
    },

    /** The generations that the proof opens, undefined for none; their identities stay here until `lock`. */
    unlock: async (q: { sessionId: SessionId; ring: Ring | undefined; proof: SentProof }) => {
      const found = await unlockIdentities(keys, q.ring, proofOf(q.proof))
      if (!found || !q.ring) return undefined
      const { opened, damaged } = found
      unlocked.set(q.sessionId, opened)
      const generations = opened.map(({ generation }) => generation)
      // Nobody waits for tidiness: it is found out again with the next login.
      const leftovers = await leftoversOf(keys, q.ring, generations).catch(() => [])
      return { generations, damaged, leftovers }
    },
    lock: (q: { sessionId: SessionId }) => {
      unlocked.delete(q.sessionId)
    },

    rewrapIdentities: async ({ sessionId, ring, password }: OfSession & { password: string | undefined }) =>
      revealed(await rewrapIdentities(keys, ring, { opened: openedBy(sessionId), given: givenOf(password) })),
    rotateKey: ({ sessionId, ring, password }: OfSession & { password: string }) =>
      rotateKey(keys, ring, { opened: openedBy(sessionId), password: new Secret(password) }),
    setRecovery: ({ sessionId, ring, recipient }: OfSession & { recipient: string | null }) =>
      setRecovery(keys, ring, { opened: openedBy(sessionId), recipient }),
    resetPassword: async ({ ring, password }: { ring: Ring; password: string | undefined }) =>
      revealed(await resetPassword(keys, ring, givenOf(password))),
  }
}
