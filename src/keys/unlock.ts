import { asGatewayError, GatewayError } from '../core/errors.ts'
import type { MailboxId } from '../core/ids.ts'
import { type Generation, type Keyring, openersOf } from '../core/keyring.ts'
import type { KeyStore } from '../core/ports.ts'
import { Secret } from '../core/secret.ts'
import { startOpening } from '../seal/age.ts'
import { AgeError } from '../seal/ageError.ts'
import { openWithPassphrase, sealWithPassphrase, workFactorOf } from '../seal/passphrase.ts'
import { type Identity, recipientOf } from '../seal/x25519.ts'
import { mayBe, parseFileName } from './fileNames.ts'
import { identityText, parseIdentityText } from './identityText.ts'
import { oneAtATime } from './oneAtATime.ts'
import { costOfChosen, costOfGenerated, generatePassword } from './passwords.ts'
import { namedFile, namesOf, type Ring } from './ring.ts'

/**
 * What opens identities: the mailbox password, tried on every file that a password opens or, with `atMost`, on so many that
 * were written last; or an age identity file in the clear, of the recovery recipient or of the mailbox itself.
 */
export type Proof = { readonly password: Secret; readonly atMost?: number | undefined } | { readonly identity: Secret }

/** An identity of a mailbox, opened. */
export type Unlocked = {
  readonly generation: number
  readonly identity: Identity
  /** The identity file in the clear. */
  readonly text: Secret
  /** scrypt's cost of the file, where a password has opened it. */
  readonly logN: number | undefined
}

/** What a proof has opened of a mailbox's keys. */
export type OpenedRing = {
  /** At least one, the oldest first. */
  readonly opened: readonly Unlocked[]
  /** The generations that nobody can open, because a file is damaged or missing: theirs, or one on the way to it. */
  readonly damaged: readonly number[]
}

/** scrypts that may wait for their turn, one of a login at a time: about three seconds of generated passwords. */
export const stretched = oneAtATime(64)

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
export const nobody = `mbx-${'0'.repeat(32)}` as MailboxId

type Files = Pick<KeyStore, 'get' | 'list'>

/**
 * The identities of every generation that the proof opens, the oldest first; undefined when it opens none. A mailbox that
 * is unknown (`undefined`, or without keys) costs what a wrong generated password costs. A damaged or missing file does not
 * keep the other generations shut; but where none opens, it is no proof of a wrong password, and `storage-failed` is
 * thrown. Others have their turn between two scrypts. Rejects with `overloaded` when too many wait, with `request-invalid` for an identity that is none.
 */
export const unlockIdentities = async (
  store: Files,
  ring: Ring | undefined,
  proof: Proof,
): Promise<OpenedRing | undefined> => {
  // Before it is known whether it will be needed: the first unknown mailbox must not cost more than others.
  const decoyed = await decoyFile()
  const { mailboxId, keyring } = ring ?? { mailboxId: nobody, keyring: undefined }
  const names = await namesOf(store, mailboxId)
  if (keyring === undefined || keyring.generations.length === 0) {
    if ('password' in proof) await unlessNotForIt(() => withPassword(decoyed, proof.password))
    return undefined
  }
  const unlocking = unlockingOf(store, { mailboxId, names })
  const newestFirst = keyring.generations.toReversed()
  if ('password' in proof) await openByPassword(unlocking, triedOf({ mailboxId, names }, newestFirst, proof), proof)
  else await openByIdentity(unlocking, newestFirst, proof.identity)
  await openWrapped(unlocking, newestFirst)
  return unlocking.result(keyring)
}

/** The generations that a password is tried on. */
const triedOf = (
  { mailboxId, names }: Place,
  newestFirst: readonly Generation[],
  { atMost = Infinity }: { readonly atMost?: number | undefined },
) => {
  const writtenAt = ({ generation, sha256 }: Generation) =>
    names
      .map((name) => parseFileName(mailboxId, name))
      .find((one) => one?.generation === generation && one.kind === 'identity' && mayBe(one, sha256))?.revision ?? 0
  const underPassword = newestFirst.filter(({ wrappedTo }) => wrappedTo === 'password')
  return underPassword.toSorted((a, b) => writtenAt(b) - writtenAt(a)).slice(0, atMost)
}

type Place = { readonly mailboxId: MailboxId; readonly names: readonly string[] }
type Unlocking = ReturnType<typeof unlockingOf>

const unlockingOf = (store: Files, place: Place) => {
  const opened = new Map<number, Unlocked>()
  const damage = new Map<number, unknown>()
  const take = ({ generation, recipient }: Generation, text: Uint8Array, logN: number | undefined) => {
    const identity = parseIdentityText(text).find((one) => recipientOf(one) === recipient)
    if (!identity) throw new Error(`the identity of generation ${generation} is another one`)
    opened.set(generation, { generation, identity, text: new Secret(Buffer.from(text).toString()), logN })
  }
  return {
    identityOf: (generation: number) => opened.get(generation)?.identity,
    take,
    /** Takes what the file holds that the log names, if `open` gives something. */
    open: async (
      generation: Generation,
      kind: 'identity' | 'recovery',
      open: (file: Uint8Array) => Promise<Uint8Array> | Uint8Array,
    ) => {
      const sha256 = kind === 'identity' ? generation.sha256 : (generation.recovery?.sha256 ?? '')
      try {
        const { bytes } = await namedFile(store, place, { generation: generation.generation, kind, sha256 })
        const text = await unlessNotForIt(() => open(bytes))
        if (text) take(generation, text, workFactorOf(bytes))
      } catch (error) {
        if (asGatewayError(error).code === 'overloaded') throw error
        damage.set(generation.generation, error)
      }
    },
    result: (keyring: Keyring): OpenedRing | undefined => {
      if (opened.size === 0 && damage.size > 0)
        throw new GatewayError('storage-failed', { cause: [...damage.values()][0] })
      if (opened.size === 0) return undefined
      const isDamaged = (one: Generation) =>
        !opened.has(one.generation) &&
        [one, ...openersOf(keyring, one)].some(({ generation }) => damage.has(generation))
      return {
        opened: [...opened.values()].toSorted((a, b) => a.generation - b.generation),
        damaged: keyring.generations.filter(isDamaged).map(({ generation }) => generation),
      }
    },
  }
}

const openByPassword = async (
  unlocking: Unlocking,
  tried: readonly Generation[],
  { password }: { readonly password: Secret },
) => {
  for (const generation of tried) await unlocking.open(generation, 'identity', (file) => withPassword(file, password))
}

const openByIdentity = async (unlocking: Unlocking, newestFirst: readonly Generation[], clear: Secret) => {
  const given = identitiesIn(clear)
  for (const generation of newestFirst) {
    const own = given.find(({ identity }) => recipientOf(identity) === generation.recipient)
    if (own) unlocking.take(generation, identityText(own.line, generation.recipient), undefined)
    else if (generation.recovery) await unlocking.open(generation, 'recovery', withIdentities(given))
  }
}

/** Older ones may be wrapped to newer ones that are wrapped to newer ones still. */
const openWrapped = async (unlocking: Unlocking, newestFirst: readonly Generation[]) => {
  const shut = () => newestFirst.filter(({ generation }) => !unlocking.identityOf(generation))
  for (let [left, before] = [shut(), Infinity]; left.length < before; left = shut()) {
    before = left.length
    for (const generation of left) {
      const identity = typeof generation.wrappedTo === 'number' && unlocking.identityOf(generation.wrappedTo)
      if (identity) await unlocking.open(generation, 'identity', withIdentities([{ identity }]))
    }
  }
}

const identitiesIn = (clear: Secret) => {
  const lines = clear.reveal().split('\n')
  try {
    return lines.flatMap((line) => parseIdentityText(line).map((identity) => ({ line: line.trim(), identity })))
  } catch (error) {
    if (!(error instanceof AgeError)) throw error
    throw new GatewayError('request-invalid', { detail: 'The identity is not an age identity (AGE-SECRET-KEY-1…)' })
  }
}

const withPassword = (file: Uint8Array, password: Secret) =>
  stretched(() => openWithPassphrase(file, password, { maxLogN: costOfChosen }))

const withIdentities = (given: readonly { readonly identity: Identity }[]) => (file: Uint8Array) => {
  const opening = startOpening(given.map(({ identity }) => identity))
  return Buffer.concat([...opening.update(file), ...opening.final()])
}

/** Undefined when the file is for another key. */
const unlessNotForIt = async (open: () => Promise<Uint8Array> | Uint8Array): Promise<Uint8Array | undefined> => {
  try {
    return await open()
  } catch (error) {
    if (error instanceof AgeError && (error.code === 'passphrase-wrong' || error.code === 'no-identity-matched'))
      return undefined
    throw error
  }
}
