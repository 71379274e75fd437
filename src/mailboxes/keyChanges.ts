import type { MessageCount } from '../../projections/generations.ts'
import { asGatewayError, GatewayError, isSurelyNotWritten } from '../core/errors.ts'
import type { Stamp } from '../core/events.ts'
import type { MailboxId, SessionId } from '../core/ids.ts'
import { isSameKeyring, newestGeneration } from '../core/keyring.ts'
import type { Appended, EventLog } from '../core/ports.ts'
import type { Secret } from '../core/secret.ts'
import { recoveryRecipient } from '../keys/identities.ts'
import { chosenPassword } from '../keys/passwords.ts'
import type { Ring } from '../keys/ring.ts'
import type { Proof } from '../keys/unlock.ts'
import type { LoggedIn, Login } from '../login.ts'
import type { Change } from '../mailboxes.ts'
import type { Keys } from '../storage/remoteKeys.ts'
import { appendAt, factsOf } from './append.ts'
import { type MailboxCommand, mustAllow } from './decide.ts'
import { type MailboxAsOf, newestOf, type NewestParts } from './newest.ts'
import { seen, type Visible } from './seen.ts'

/** A change of a mailbox's keys: who asks, and from where. */
export type KeyChange = Change & { readonly requestId: SessionId; readonly remoteAddress: string }

/** What was changed, in effect and seen in the views. */
export type KeysChanged = {
  /** The mailbox's. */
  readonly revision: number
  /** Those that were changed, the oldest first. */
  readonly generations: readonly number[]
  /** The mailbox's other messages, which what was given does not open; null when they could not be counted. */
  readonly shut: MessageCount | null
}

/** Told once and kept nowhere; undefined for a password that was chosen. */
export type Password = { readonly password: Secret | undefined }

/**
 * Changes of a mailbox's keys. None of them makes mail unreadable that was readable: new files are durable before the
 * event that names them, and what they replace stays until they have been used. Old passwords and identities stand under
 * the limits to guessing. They reject with `password-wrong` or what `Login.authenticate` rejects with, `request-invalid`
 * for a new password that POP3 cannot carry, `mailbox-unknown`, `mailbox-conflict`, `revision-mismatch`,
 * `revision-conflict` when somebody else has changed the keys at the same time, or what the log and the key store reject with.
 */
export type KeyChanges = {
  /** Everything that the old password opens, the new one opens instead. */
  changePassword(change: KeyChange, passwords: NewPassword & { readonly old: Secret }): Promise<KeysChanged & Password>
  /** New mail is sealed under a new key that the same password opens. `password-older`: it does not open the newest. */
  rotateKey(change: KeyChange, password: Secret): Promise<KeysChanged & { readonly recipient: string }>
  /** New mail is sealed under a new key with a new password. What there is stays under the old one: see `shut`. */
  resetPassword(change: KeyChange, wanted: NewPassword): Promise<KeysChanged & Password>
  /** Who holds the identity of this age recipient can recover the mailbox; null: nobody any more, of what the password opens. */
  setRecovery(
    change: KeyChange,
    to: { readonly password: Secret; readonly recipient: string | null },
  ): Promise<KeysChanged>
  /**
   * A new password for everything that the recovery identity, or an identity of the mailbox itself, opens. `identity-older`:
   * another password opens that too, by a newer key, and would lose it.
   */
  recover(change: KeyChange, by: NewPassword & { readonly identity: Secret }): Promise<KeysChanged & Password>
}

/** Undefined: one is generated. */
export type NewPassword = { readonly wanted: string | undefined }

export type KeyChangesParts = NewestParts & {
  readonly log: Pick<EventLog, 'append' | 'readStream'>
  readonly stamp: Stamp
  readonly login: Pick<Login, 'authenticate'>
  readonly keys: Pick<Keys, 'lock' | 'rewrapIdentities' | 'rotateKey' | 'setRecovery' | 'resetPassword'> & {
    /** Soon. */
    removeKeyFiles(names: readonly string[]): unknown
  }
  /** Of the mailboxes. */
  readonly views: Visible & NewestParts['views']
  /** How many messages are sealed under generations other than these. */
  countShut(mailboxId: MailboxId, open: readonly number[]): Promise<MessageCount>
}

/** Of one mailbox: its events name them, and logins try them. */
const maxGenerations = 200
/** Attempts when others write the same stream at the same time. */
const attempts = 5

/** Files that are durable, and the command whose event names them. */
type Prepared<T> = { readonly written: readonly string[]; readonly command: MailboxCommand; readonly told: T }

export const createKeyChanges = (parts: KeyChangesParts): KeyChanges => {
  const { login, keys, views } = parts

  const allowed = async ({ mailboxId, ifMatch }: KeyChange, type: MailboxCommand['type']): Promise<MailboxAsOf> => {
    const mailbox = await newestOf(parts, mailboxId)
    mustAllow(type, mailbox.state)
    if (ifMatch && !ifMatch.includes(mailbox.revision)) throw new GatewayError('revision-mismatch')
    return mailbox
  }

  /** Appends what is prepared on the mailbox as it is; prepares again when something else has happened to it meanwhile. */
  const append = async <T>(
    change: KeyChange,
    { type, since }: { readonly type: MailboxCommand['type']; readonly since: Ring | undefined },
    prepare: (ring: Ring) => Promise<Prepared<T>>,
  ): Promise<{ readonly appended: Appended; readonly told: T }> => {
    const { mailboxId, cause } = change
    let keyring = since?.keyring
    for (let attempt = 1; ; attempt++) {
      const mailbox = await allowed(change, type)
      if (keyring && !isSameKeyring(keyring, mailbox.keyring)) throw new GatewayError('revision-conflict')
      keyring = mailbox.keyring
      const { written, command, told } = await prepare(ringOfMailbox(mailboxId, mailbox))
      try {
        const { next } = mailbox
        return {
          appended: await appendAt(parts, { mailboxId, next }, { facts: factsOf(command, mailbox), cause }),
          told,
        }
      } catch (error) {
        // Where it may have been written, its files may be all that opens the mail.
        if (isSurelyNotWritten(error)) await keys.removeKeyFiles(written)
        if (asGatewayError(error).code !== 'revision-conflict' || attempt === attempts) throw error
      }
    }
  }

  const finished = async <T extends object>(
    { mailboxId }: KeyChange,
    { appended, told }: { readonly appended: Appended; readonly told: T },
    { changed, open }: { readonly changed: readonly number[]; readonly open: readonly number[] },
  ): Promise<T & KeysChanged> => {
    // It has happened, and its only password must reach the caller, even when the views are late or fail.
    await seen(views, appended.position).catch(() => undefined)
    const shut = await parts.countShut(mailboxId, open).catch(() => null)
    return { ...told, revision: appended.revision, generations: changed, shut }
  }

  /** Work on what a proof opens. */
  const authenticated = async <T>(change: KeyChange, proof: Proof, work: (opened: LoggedIn) => Promise<T>) => {
    const { mailboxId, requestId, remoteAddress, cause } = change
    try {
      const attempt = { sessionId: requestId, remoteAddress, cause, mailboxId, user: mailboxId, proof }
      return await work(await login.authenticate(attempt))
    } finally {
      keys.lock(requestId)
    }
  }

  const newPassword = async (
    change: KeyChange,
    { type, proof, wanted }: NewPassword & { readonly type: 'changePassword' | 'recover'; readonly proof: Proof },
  ) => {
    const chosen = wanted === undefined ? undefined : chosenPassword(wanted)
    await allowed(change, type)
    return authenticated(change, proof, async ({ generations: open, ring: since }) => {
      const { mailboxId, requestId } = change
      const done = await append(change, { type, since }, async (ring) => {
        const { written, identities, password } = await keys.rewrapIdentities(requestId, ring, chosen)
        const command = { type, data: { mailboxId, identities } } as const
        return { written, command, told: { password: chosen ? undefined : password } }
      })
      return finished(change, done, { changed: open, open })
    })
  }

  return {
    changePassword: (change, { old, wanted }) =>
      newPassword(change, { type: 'changePassword', proof: { password: old }, wanted }),
    recover: (change, { identity, wanted }) => newPassword(change, { type: 'recover', proof: { identity }, wanted }),
    rotateKey: async (change, password) => {
      const { mailboxId, requestId } = change
      mustHaveRoom(await allowed(change, 'rotateKey'))
      return authenticated(change, { password }, async ({ generations, ring: since }) => {
        const newest = newestGeneration(since.keyring)?.generation
        if (newest === undefined || !generations.includes(newest)) throw new GatewayError('password-older')
        const done = await append(change, { type: 'rotateKey', since }, async (ring) => {
          const { written, ...made } = await keys.rotateKey(requestId, ring, password)
          const { generation, recipient, identities, recoverySha256 } = made
          const data = { mailboxId, generation, recipient, identities, ...recoveryIn(recoverySha256) }
          return { written, command: { type: 'rotateKey', data }, told: { generation, recipient } }
        })
        const { generation, recipient } = done.told
        const open = [...generations, generation]
        return finished(change, { ...done, told: { recipient } }, { changed: open, open })
      })
    },
    resetPassword: async (change, { wanted }) => {
      const { mailboxId } = change
      const chosen = wanted === undefined ? undefined : chosenPassword(wanted)
      const done = await append(change, { type: 'resetPassword', since: undefined }, async (ring) => {
        mustHaveRoom(ring)
        const { written, password, ...made } = await keys.resetPassword(ring, chosen)
        const { generation, recipient, identitySha256, recoverySha256 } = made
        const data = { mailboxId, generation, recipient, identitySha256, ...recoveryIn(recoverySha256) }
        const told = { generation, password: chosen ? undefined : password }
        return { written, command: { type: 'resetPassword', data }, told }
      })
      const { generation, password } = done.told
      return finished(change, { ...done, told: { password } }, { changed: [generation], open: [generation] })
    },
    setRecovery: async (change, { password, recipient }) => {
      if (recipient !== null) recoveryRecipient(recipient)
      await allowed(change, 'setRecovery')
      return authenticated(change, { password }, async ({ generations: open, ring: since }) => {
        const done = await append(change, { type: 'setRecovery', since }, async (ring) => {
          const { written, files } = await keys.setRecovery(change.requestId, ring, recipient)
          const data = { mailboxId: change.mailboxId, recipient, files }
          return { written, command: { type: 'setRecovery', data }, told: {} }
        })
        return finished(change, done, { changed: open, open })
      })
    },
  }
}

const ringOfMailbox = (mailboxId: MailboxId, { next, keyring }: MailboxAsOf): Ring => {
  if (typeof next !== 'number') throw new GatewayError('mailbox-unknown')
  return { mailboxId, revision: next, keyring }
}

const recoveryIn = (recoverySha256: string | undefined) => (recoverySha256 === undefined ? {} : { recoverySha256 })

const mustHaveRoom = ({ keyring }: { readonly keyring: Ring['keyring'] }) => {
  if (keyring.generations.length < maxGenerations) return
  throw new GatewayError('mailbox-conflict', { detail: `The mailbox has ${maxGenerations} keys, and can have no more` })
}
