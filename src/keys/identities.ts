import { createHash, randomBytes } from 'node:crypto'
import { GatewayError } from '../core/errors.ts'
import type { MailboxId } from '../core/ids.ts'
import type { KeyStore } from '../core/ports.ts'
import { Secret } from '../core/secret.ts'
import { AgeError } from '../seal/ageError.ts'
import { openWithPassphrase, sealWithPassphrase } from '../seal/passphrase.ts'
import { generateIdentity, type Identity, parseIdentity } from '../seal/x25519.ts'
import { oneAtATime } from './oneAtATime.ts'

/** scrypt's cost, 2^n: of 160 random bits nothing can be guessed; of what people choose, each guess costs 1.2 s. */
const costOfGenerated = 14
const costOfChosen = 18

/** Logins that may wait for their scrypt: about three seconds of generated passwords. */
const stretch = oneAtATime(64)

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** 160 random bits in lower-case base32 (RFC 4648 §6), groups of four: safe in shells, URLs and on the phone. */
export const generatePassword = (): Secret => {
  const letters = Array.from(randomBytes(32), (byte) => alphabet.charAt(byte % alphabet.length)).join('')
  return new Secret(letters.replace(/.{4}(?=.)/g, '$&-'))
}

const directoryOf = (mailboxId: MailboxId) => `mailboxes/${mailboxId}/`
const nameOf = (mailboxId: MailboxId, generation: number) => `${directoryOf(mailboxId)}${generation}.age`

/** An identity file as `age-keygen` writes it, so that `age -d -i` takes what `age -d` of the wrapped one gives. */
const identityText = (identity: string, recipient: string) => Buffer.from(`# public key: ${recipient}\n${identity}\n`)

const parseIdentityText = (text: Uint8Array): readonly Identity[] =>
  Buffer.from(text)
    .toString()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(parseIdentity)

export type NewIdentity = {
  /** age recipient (`age1…`) under which the generation's mail is sealed. */
  readonly recipient: string
  readonly password: Secret
  /** SHA-256, hex, of the passphrase-encrypted identity file. */
  readonly identitySha256: string
}

export type IdentityRequest = {
  readonly mailboxId: MailboxId
  readonly generation: number
  /** A chosen password; none has one generated. */
  readonly password?: Secret
}

/**
 * Makes a key generation of a mailbox. Its wrapped identity is durable when this resolves, so that the event that names it
 * may follow. A generation that exists is refused with `mailbox-conflict`: it may be all that opens its mail.
 */
export const createIdentity = async (store: KeyStore, request: IdentityRequest): Promise<NewIdentity> => {
  const name = nameOf(request.mailboxId, request.generation)
  if ((await store.get(name)) !== undefined) throw new GatewayError('mailbox-conflict')
  const password = request.password ?? generatePassword()
  const logN = request.password === undefined ? costOfGenerated : costOfChosen
  const { identity, recipient } = await generateIdentity()
  const wrapped = await stretch(() => sealWithPassphrase(identityText(identity, recipient), password, { logN }))
  await store.put(name, wrapped)
  return { recipient, password, identitySha256: createHash('sha256').update(wrapped).digest('hex') }
}

/** The stored age file of a generation, wrapped under its password. `mailbox-unknown` when there is none. */
export const identityFile = async (store: KeyStore, mailboxId: MailboxId, generation: number): Promise<Uint8Array> => {
  const file = await store.get(nameOf(mailboxId, generation))
  if (file === undefined) throw new GatewayError('mailbox-unknown')
  return file
}

export const hasIdentities = async (store: KeyStore, mailboxId: MailboxId): Promise<boolean> =>
  (await store.list(directoryOf(mailboxId))).length > 0

/** Removes every generation; durable when it resolves. What was sealed under them can then be opened by nobody. */
export const removeIdentities = async (store: KeyStore, mailboxId: MailboxId): Promise<void> => {
  for (const name of await store.list(directoryOf(mailboxId))) await store.remove(name)
}

/** What an unknown mailbox's password is tried against. */
let decoy: Promise<Uint8Array> | undefined
const decoyFile = () =>
  (decoy ??= sealWithPassphrase(Buffer.alloc(0), generatePassword(), { logN: costOfGenerated }).catch(
    (error: unknown) => {
      decoy = undefined
      throw error
    },
  ))

/** A mailbox that nobody has; looked for in place of one that is unknown. */
const nobody = `mbx-${'0'.repeat(32)}` as MailboxId

const filesOf = async (store: KeyStore, mailboxId: MailboxId): Promise<readonly Uint8Array[]> => {
  const names = (await store.list(directoryOf(mailboxId))).filter((name) => name.endsWith('.age'))
  const found = await Promise.all(names.map((name) => store.get(name)))
  const wrapped = found.filter((file) => file !== undefined)
  if (wrapped.length > 0) return wrapped
  if (mailboxId === nobody) return [await decoyFile()]
  throw new GatewayError('storage-failed', { cause: new Error(`${directoryOf(mailboxId)} holds no identity`) })
}

type Opened = { readonly identities: readonly Identity[]; readonly damage: readonly unknown[] }

const tryOpen = async (file: Uint8Array, password: Secret): Promise<Opened> => {
  try {
    const text = await openWithPassphrase(file, password, { maxLogN: costOfChosen })
    return { identities: parseIdentityText(text), damage: [] }
  } catch (error) {
    const isWrong = error instanceof AgeError && error.code === 'passphrase-wrong'
    return { identities: [], damage: isWrong ? [] : [error] }
  }
}

/** A damaged file does not keep the other generations shut; but where none opens, it is no proof of a wrong password. */
const openAll = async (wrapped: readonly Uint8Array[], password: Secret): Promise<readonly Identity[]> => {
  const tried: Opened[] = []
  for (const file of wrapped) tried.push(await tryOpen(file, password))
  const identities = tried.flatMap((one) => one.identities)
  const [damage] = tried.flatMap((one) => one.damage)
  if (identities.length === 0 && damage !== undefined) throw new GatewayError('storage-failed', { cause: damage })
  return identities
}

/**
 * The identities of every generation that the password opens; undefined when it opens none. A mailbox that is unknown
 * (`undefined`) costs what a wrong generated password costs; of one that exists, a key that is missing is a failure. Rejects with `overloaded` when too
 * many wait, or with a storage failure when no answer can be given.
 */
export const unlockIdentities = async (
  store: KeyStore,
  mailboxId: MailboxId | undefined,
  password: Secret,
): Promise<readonly Identity[] | undefined> => {
  // Before it is known whether it will be needed: the first unknown mailbox must not cost more than others.
  await decoyFile()
  const wrapped = await filesOf(store, mailboxId ?? nobody)
  const opened = await stretch(() => openAll(wrapped, password))
  return opened.length > 0 ? opened : undefined
}
