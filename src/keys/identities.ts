import { GatewayError } from '../core/errors.ts'
import type { MailboxId } from '../core/ids.ts'
import type { KeyStore } from '../core/ports.ts'
import type { Secret } from '../core/secret.ts'
import { sealBytes } from '../seal/age.ts'
import { AgeError } from '../seal/ageError.ts'
import { sealWithPassphrase } from '../seal/passphrase.ts'
import { generateIdentity, parseRecipient, type Recipient } from '../seal/x25519.ts'
import { directoryOf } from './fileNames.ts'
import { identityText } from './identityText.ts'
import { type Made, makeFiles, removeFiles, type WriteFile } from './newFiles.ts'
import { costOfChosen, costOfGenerated, generatePassword } from './passwords.ts'
import { stretched } from './unlock.ts'

/**
 * Under which something is to be wrapped: without a password, one is generated. `logN` is scrypt's cost where it is not the
 * usual one of a chosen or of a generated password.
 */
export type GivenPassword = { readonly password?: Secret | undefined; readonly logN?: number | undefined }

export type NewIdentity = {
  readonly generation: number
  /** age recipient (`age1…`) under which the generation's mail is sealed. */
  readonly recipient: string
  readonly password: Secret
  /** SHA-256, hex, of the passphrase-encrypted identity file. */
  readonly identitySha256: string
  /** The same of the identity wrapped to the recovery recipient, where there is one. */
  readonly recoverySha256: string | undefined
}

export type NewIdentityRequest = {
  readonly generation: number
  readonly given?: GivenPassword
  /** age recipient to whom the identity is wrapped as well. */
  readonly recovery?: string | null | undefined
}

export const wrapUnderPassword = (text: Uint8Array, given: GivenPassword) => {
  const password = given.password ?? generatePassword()
  const logN = given.logN ?? (given.password ? costOfChosen : costOfGenerated)
  return stretched(async () => ({ password, bytes: await sealWithPassphrase(text, password, { logN }) }))
}

/** Throws `request-invalid` for what is no age recipient that can be sealed to. */
export const recoveryRecipient = (text: string): Recipient => {
  try {
    return parseRecipient(text)
  } catch (error) {
    if (!(error instanceof AgeError)) throw error
    const detail = 'recovery must be an age recipient (age1…), as age-keygen -y prints it'
    throw new GatewayError('request-invalid', { detail, cause: error })
  }
}

/** A new identity and its files. */
export const freshIdentity = async (
  write: WriteFile,
  { generation, given = {}, recovery }: NewIdentityRequest,
): Promise<NewIdentity> => {
  const to = typeof recovery === 'string' ? recoveryRecipient(recovery) : undefined
  const { identity, recipient } = await generateIdentity()
  const text = identityText(identity, recipient)
  const { password, bytes } = await wrapUnderPassword(text, given)
  const identitySha256 = await write({ generation, kind: 'identity' }, bytes)
  const recoverySha256 = to && (await write({ generation, kind: 'recovery' }, sealBytes([to], text)))
  return { generation, recipient, password, identitySha256, recoverySha256 }
}

/**
 * Makes the first generation of a new mailbox. Its files are durable when this resolves, so that the event that names them may
 * follow. Rejects with `mailbox-conflict` for one that exists, with `request-invalid` for a recovery recipient that is none.
 */
export const createIdentity = (
  store: Pick<KeyStore, 'add' | 'remove'>,
  { mailboxId, ...request }: { readonly mailboxId: MailboxId } & NewIdentityRequest,
): Promise<Made<NewIdentity>> => makeFiles(store, { mailboxId, revision: 0 }, (write) => freshIdentity(write, request))

export const hasIdentities = async (store: Pick<KeyStore, 'list'>, mailboxId: MailboxId): Promise<boolean> =>
  (await store.list(directoryOf(mailboxId))).length > 0

/** Removes every generation; durable when it resolves. What was sealed under them can then be opened by nobody. */
export const removeIdentities = async (store: Pick<KeyStore, 'list' | 'remove'>, mailboxId: MailboxId): Promise<void> =>
  removeFiles(store, await store.list(directoryOf(mailboxId)))
