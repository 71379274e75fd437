import { createHash } from 'node:crypto'
import { allEvents } from './allEvents.ts'
import type { Config } from './config.ts'
import { asGatewayError } from './core/errors.ts'
import type { EventData, Recorded } from './core/events.ts'
import { type MailboxId, type MessageId, messageOfKey, mintedAt, type VaultKey, vaultKey } from './core/ids.ts'
import { emptyKeyring, keyFilesOf, keyringAfter } from './core/keyring.ts'
import { type Clock, type EventLog, type KeyStore, systemClock, type Vault } from './core/ports.ts'
import { mailboxOfStream } from './core/streams.ts'
import { checkDirectories, claimDataDirectory, logPlaceOf, placesOf } from './dataDirectory.ts'
import { hasIdentities, removeIdentities } from './keys/identities.ts'
import { keyFiles } from './keys/keyFiles.ts'
import { removeFiles } from './keys/newFiles.ts'
import { leftoversOf, namedFile, namesOf, type Ring } from './keys/ring.ts'
import { readLog } from './log/openLog.ts'
import { openVault } from './vault/openVault.ts'

export type FsckReport = {
  /** One sentence each: something that the log says and that is not so. */
  readonly problems: readonly string[]
  /** One sentence each: harmless leftovers of interrupted work. */
  readonly leftovers: readonly string[]
  /** Objects without events, and what was left of destroyed messages and mailboxes, that were removed. */
  readonly removed: number
  readonly messages: number
  readonly objects: number
}

export type FsckOptions = {
  readonly config: Pick<Config, 'gateway' | 'log' | 'vault' | 'keys'>
  /** Remove what is left of destroyed messages and mailboxes, and objects without events that are older than a day. */
  readonly repair: boolean
  readonly progress?: (line: string) => void
}

/** An object younger than this may belong to a message that is just being received. */
const maximumAge = 24 * 60 * 60 * 1000

/**
 * Compares the vault and the keys with the log, never with views. Reads every sealed object whole. Claims the data
 * directory, so it is refused while a gateway runs on it.
 */
export const fsck = async ({ config, repair, progress = () => undefined }: FsckOptions): Promise<FsckReport> => {
  const { data } = config.gateway
  const claim = claimDataDirectory(data)
  const paths = placesOf(config)
  try {
    checkDirectories(paths)
    const log = await readLog(logPlaceOf(config))
    const vault = openVault({ engine: config.vault.engine, dir: paths.vault })
    try {
      return await check({ log, vault, keys: keyFiles({ dir: paths.keys }), clock: systemClock, repair, progress })
    } finally {
      await vault.close()
      await log.close()
    }
  } finally {
    claim.release()
  }
}

type Checked = {
  readonly log: Pick<EventLog, 'readAll'>
  readonly vault: Vault
  readonly keys: KeyStore
  readonly clock: Clock
  readonly repair: boolean
  readonly progress: (line: string) => void
}

export const check = async ({ log, vault, keys, clock, repair, progress }: Checked): Promise<FsckReport> => {
  const told = await whatTheLogSays(log)
  progress(`The log names ${told.sealed.size} sealed messages and ${told.rings.size} mailboxes.`)
  const problems = [...told.problems, ...(await identityProblems(told, keys))]

  const unseen = new Map(told.sealed)
  const orphans: VaultKey[] = []
  const remains: VaultKey[] = []
  let objects = 0
  try {
    for await (const { key } of vault.list('')) {
      if (++objects % 10_000 === 0) progress(`${objects} objects compared.`)
      const sealed = unseen.get(key)
      if (told.purged.has(key)) remains.push(key)
      else if (!sealed) orphans.push(key)
      else problems.push(...(await objectProblems(sealed, vault)))
      unseen.delete(key)
    }
  } catch (error) {
    problems.push(`The vault cannot be listed to its end (${causeOf(error)}).`)
  }
  // What was not listed may still be there: a damaged pack hides the days after it.
  for (const sealed of unseen.values())
    if (!told.purging.has(sealed.messageId)) problems.push(...(await objectProblems(sealed, vault)))

  const replaced = await replacedFiles(told, keys)
  if (repair) await removeFiles(keys, replaced)

  const keptIdentities = await identitiesOf(told, keys)
  if (repair) for (const mailboxId of keptIdentities) await removeIdentities(keys, mailboxId)

  const old = orphans.filter((key) => mintedAt(messageOfKey(key)) < clock.now().getTime() - maximumAge)
  if (repair) for (const key of [...old, ...remains]) await vault.remove(key)
  return {
    problems,
    leftovers: [
      ...orphans.map((key) => leftover(key, old.includes(key), repair)),
      ...remains.map(
        (key) => `Object ${key}: its message was destroyed (${repair ? 'removed' : '--repair removes it'}).`,
      ),
      ...replaced.map(
        (name) => `Key file ${name}: no event names it any more (${repair ? 'removed' : '--repair removes it'}).`,
      ),
      ...keptIdentities.map(
        (mailboxId) =>
          `Mailbox ${mailboxId}: it was destroyed, its identity is there (${repair ? 'removed' : '--repair removes it'}).`,
      ),
    ],
    removed: repair ? old.length + remains.length + replaced.length + keptIdentities.length : 0,
    messages: told.sealed.size,
    objects,
  }
}

const causeOf = (error: unknown) => {
  const { code, cause } = asGatewayError(error)
  return cause instanceof Error ? `${code}: ${cause.message}` : code
}

const leftover = (key: VaultKey, old: boolean, repair: boolean) => {
  const fate = !old ? 'kept, as it is younger than a day' : repair ? 'removed' : '--repair removes it'
  return `Object ${key}: no event names it (${fate}).`
}

type Told = {
  /** Of messages that were not destroyed. */
  readonly sealed: ReadonlyMap<VaultKey, EventData['MessageSealed']>
  /** Messages whose objects may be gone: the next sweep of a gateway ends what was begun. */
  readonly purging: ReadonlySet<MessageId>
  readonly purged: ReadonlySet<VaultKey>
  /** Mailboxes whose identities may be gone, or (true) must be. */
  readonly deleted: ReadonlyMap<MailboxId, boolean>
  /** The keys of each mailbox. */
  readonly rings: ReadonlyMap<MailboxId, Ring>
  readonly problems: readonly string[]
}

const whatTheLogSays = async (log: Pick<EventLog, 'readAll'>): Promise<Told> => {
  const received = new Set<string>()
  const rings = new Map<MailboxId, Ring>()
  const sealed = new Map<VaultKey, EventData['MessageSealed']>()
  const purging = new Set<MessageId>()
  const purged = new Set<VaultKey>()
  const deleted = new Map<MailboxId, boolean>()
  const problems: string[] = []
  const on = (event: Recorded) => {
    const mailboxId = mailboxOfStream(event.stream)
    if (mailboxId !== undefined) {
      const keyring = keyringAfter(rings.get(mailboxId)?.keyring ?? emptyKeyring, event)
      rings.set(mailboxId, { mailboxId, revision: event.revision, keyring })
    }
    if (event.type === 'MessageReceived') {
      received.add(event.data.messageId)
      if (!rings.has(event.data.mailboxId))
        problems.push(`Message ${event.data.messageId}: its mailbox ${event.data.mailboxId} was never created.`)
    } else if (event.type === 'MessageSealed') {
      // A message is received and sealed in one append: what is still in the set was not sealed.
      if (!received.delete(event.data.messageId))
        problems.push(`Message ${event.data.messageId}: it was sealed without having been received.`)
      sealed.set(event.data.object, event.data)
    } else if (event.type === 'MailboxDeleted' || event.type === 'MailboxDestroyed') {
      deleted.set(event.data.mailboxId, event.type === 'MailboxDestroyed')
    } else if (event.type === 'PurgeDecided') {
      for (const messageId of event.data.messageIds) purging.add(messageId)
    } else if (event.type === 'MessagePurged') {
      const { messageId } = event.data
      const object = vaultKey(messageId)
      if (!purging.delete(messageId) && !purged.has(object))
        problems.push(`Message ${messageId}: it was destroyed without a decision to.`)
      sealed.delete(object)
      purged.add(object)
    }
  }
  for await (const event of allEvents(log)) on(event)
  for (const messageId of received) problems.push(`Message ${messageId}: it was received and never sealed.`)
  return { sealed, purging, purged, deleted, rings, problems }
}

const sha256Of = async (chunks: AsyncIterable<Uint8Array>) => {
  const digest = createHash('sha256')
  for await (const chunk of chunks) digest.update(chunk)
  return digest.digest('hex')
}

const objectProblems = async (sealed: EventData['MessageSealed'], vault: Vault): Promise<readonly string[]> => {
  try {
    const found = await sha256Of(vault.open(sealed.object))
    if (found === sealed.sealedSha256) return []
    return [`Message ${sealed.messageId}: its sealed object is not the one that was recorded.`]
  } catch (error) {
    const { code } = asGatewayError(error)
    if (code === 'object-missing') return [`Message ${sealed.messageId}: its sealed object is missing.`]
    return [`Message ${sealed.messageId}: its sealed object cannot be read (${code}).`]
  }
}

/** Destroyed mailboxes of which there is an identity, as after the restoring of a backup. */
const identitiesOf = async ({ deleted }: Told, keys: KeyStore): Promise<readonly MailboxId[]> => {
  const found: MailboxId[] = []
  for (const [mailboxId, isDestroyed] of deleted)
    if (isDestroyed && (await hasIdentities(keys, mailboxId))) found.push(mailboxId)
  return found
}

const existing = ({ rings, deleted }: Told) => [...rings.values()].filter(({ mailboxId }) => !deleted.has(mailboxId))

const identityProblems = async (told: Told, keys: KeyStore): Promise<readonly string[]> => {
  const problems: string[] = []
  for (const { mailboxId, keyring } of existing(told)) {
    const names = await namesOf(keys, mailboxId).catch(() => [])
    for (const wanted of keyFilesOf(keyring)) {
      const file = wanted.kind === 'identity' ? 'identity' : 'recovery file'
      await namedFile(keys, { mailboxId, names }, wanted).catch((error: unknown) =>
        problems.push(
          `Mailbox ${mailboxId}: its ${file} of generation ${wanted.generation} is missing or not the one that was recorded (${causeOf(error)}).`,
        ),
      )
    }
  }
  return problems
}

/** Key files that were replaced, or written for a change that came to nothing. */
const replacedFiles = async (told: Told, keys: KeyStore): Promise<readonly string[]> => {
  const found: string[] = []
  for (const ring of existing(told)) {
    const generations = ring.keyring.generations.map(({ generation }) => generation)
    found.push(...(await leftoversOf(keys, ring, generations).catch(() => [])))
  }
  return found
}
