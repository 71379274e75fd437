import { createHash } from 'node:crypto'
import { GatewayError, mayBeWritten } from './core/errors.ts'
import type { Cause, EventData, Stamp } from './core/events.ts'
import { type MailboxId, newMailboxId } from './core/ids.ts'
import type { Appended, EventLog } from './core/ports.ts'
import type { Secret } from './core/secret.ts'
import type { SenderPolicy } from './core/senderPolicy.ts'
import { recoveryRecipient } from './keys/identities.ts'
import { aliasesOf } from './mailboxes/aliases.ts'
import { appendAt, factsOf } from './mailboxes/append.ts'
import type { MailboxCommand } from './mailboxes/decide.ts'
import { exists, newestOf, type NewestParts } from './mailboxes/newest.ts'
import { whileConflicting } from './core/appending.ts'
import { seen, type Visible } from './mailboxes/seen.ts'
import type { Keys } from './storage/remoteKeys.ts'
import {
  mayHave,
  type ProxyLimits,
  validAliases,
  validLimits,
  validName,
  validReason,
  validSenderPolicy,
} from './mailboxes/typed.ts'

export type NewMailbox = {
  /** 1 to 200 printable characters. */
  readonly name: string
  /** Addresses whose mail it shall receive. */
  readonly aliases: readonly string[]
  /** age recipient whose identity, kept elsewhere, opens its mail too. */
  readonly recovery?: string | undefined
  /** Whoever asks again with the same key gets the same mailbox. */
  readonly idempotencyKey?: string | undefined
  readonly cause: Cause
}

export type CreatedMailbox = {
  readonly mailboxId: MailboxId
  readonly address: string
  /** Told once and kept nowhere; undefined when an earlier request with the same key has made the mailbox. */
  readonly password: Secret | undefined
}

/** What is common to all changes of a mailbox that exists. */
export type Change = {
  readonly mailboxId: MailboxId
  readonly cause: Cause
  /** The change is refused with `revision-mismatch` unless the mailbox is at one of these revisions. */
  readonly ifMatch?: readonly number[] | undefined
}

/**
 * The use cases of a mailbox's life. What they have changed is durable and seen in the views when they resolve. A change
 * resolves with the mailbox's new revision; it rejects with `request-invalid`, `mailbox-unknown`, `mailbox-conflict`,
 * `revision-mismatch` or what the log rejects with.
 */
export type Mailboxes = {
  /**
   * Rejects with `request-invalid` (the detail names the field), `alias-taken`, `key-reused` or what the log rejects with.
   * A creation that failed gives its aliases back; the identity file that was made for it stays and opens nothing.
   */
  create(mailbox: NewMailbox): Promise<CreatedMailbox>
  rename(change: Change, name: string): Promise<number>
  /** Rejects with `alias-taken` too. Adding what the mailbox has and removing what it has not changes nothing. */
  changeAliases(change: Change, aliases: AliasesChange): Promise<number>
  suspend(change: Change, reason: string): Promise<number>
  resume(change: Change): Promise<number>
  /** From then on until its release nothing of the mailbox is destroyed. */
  hold(change: Change, reason: string): Promise<number>
  release(change: Change, reason: string): Promise<number>
  /** In place of the limits before. */
  limitProxy(change: Change, limits: ProxyLimits): Promise<number>
  /** In place of the policy before. */
  setSenderPolicy(change: Change, policy: SenderPolicy): Promise<number>
  /** Seconds after which messages that left the maildrop are destroyed; null: what is configured. */
  retain(change: Change, grace: number | null): Promise<number>
  /**
   * For good: nobody sends to it or collects from it any more, its aliases are free, and what was of it is destroyed at
   * once. Rejects with `mailbox-held` under a hold, else with `mailbox-conflict` when it is not suspended, and with
   * `mailbox-not-empty` when it holds mail that nobody has collected, unless that is forced.
   */
  delete(change: Change, deletion: Deletion): Promise<number>
}

export type Deletion = { readonly reason: string; readonly force: boolean }
export type AliasesChange = { readonly add: readonly string[]; readonly remove: readonly string[] }

export type MailboxesParts = {
  readonly log: Pick<EventLog, 'append' | 'readStream' | 'head'>
  readonly stamp: Stamp
  /** Resolves when the identity, under a new password, is durable. */
  readonly keys: Pick<Keys, 'createIdentity'>
  readonly views: Visible &
    NewestParts['views'] & {
      /** The same of all views, those of messages too. */
      allVisible: Visible['visible']
      aliasesOf(mailboxId: MailboxId): readonly string[]
      /** How many messages of the mailbox nobody has collected and deleted. */
      undrained(mailboxId: MailboxId): number
      /** The mailbox that was created under a key, and the digest of what was asked for. */
      createdUnder(keySha256: string): { readonly mailboxId: MailboxId; readonly requestSha256: string } | undefined
    }
  /** The gateway's domain, of which every mailbox has an address. */
  readonly domain: string
}

export const createMailboxes = (parts: MailboxesParts): Mailboxes => {
  const { log, keys, views, domain } = parts
  const aliases = aliasesOf(parts)
  const alone = oneAtATime()
  const byKey = oneAtATimeEach()
  const oneChangeOfAliases = oneAtATime()

  /** The mailbox at the end of its stream, and what the command makes of it; throws when that is nothing. */
  const decided = async (command: MailboxCommand, ifMatch: Change['ifMatch']) => {
    const mailbox = await newestOf(parts, command.data.mailboxId)
    if (ifMatch && exists(mailbox) && !ifMatch.includes(mailbox.revision)) throw new GatewayError('revision-mismatch')
    return { ...mailbox, facts: factsOf(command, mailbox) }
  }

  /** Decides on the mailbox as its stream tells it, again if somebody else was first. */
  const append = (command: MailboxCommand, { cause, ifMatch }: Omit<Change, 'mailboxId'>): Promise<Appended> =>
    whileConflicting(async () => {
      const { next, facts } = await decided(command, ifMatch)
      return appendAt(parts, { mailboxId: command.data.mailboxId, next }, { facts, cause })
    })

  const changed = async (command: MailboxCommand, change: Change): Promise<number> => {
    const { position, revision } = await append(command, change)
    await seen(views, position)
    return revision
  }

  /**
   * Reserves addresses for a command that shall own them, and does it. Alone, because an address is taken over from a
   * mailbox that is not there, which ends its creation: in one process the first one shall have it.
   */
  const withAliases = (wanted: readonly string[], command: MailboxCommand, change: Omit<Change, 'mailboxId'>) =>
    alone(async () => {
      const request = { mailboxId: command.data.mailboxId, aliases: wanted, cause: change.cause }
      try {
        await aliases.reserve(request)
        return await append(command, change)
      } catch (error) {
        // It may have been written, and then the addresses are the mailbox's own.
        if (!mayBeWritten(error)) await aliases.giveBack(request)
        throw error
      }
    })

  const establish = async ({ recovery: to, ...wanted }: Wanted, cause: Cause): Promise<CreatedMailbox> => {
    await aliases.mustBeFree(wanted.aliases)
    const mailboxId = newMailboxId()
    const made = await keys.createIdentity({ mailboxId, generation: 1, recovery: to })
    const { password, recipient, generation, identitySha256, recoverySha256 } = made
    const recovery =
      to !== undefined && recoverySha256 !== undefined ? { recovery: { recipient: to, sha256: recoverySha256 } } : {}
    const data = { mailboxId, ...wanted, recipient, generation, identitySha256, ...recovery }
    const { position } = await withAliases(wanted.aliases, { type: 'create', data }, { cause })
    // The mailbox exists: its only password must reach the caller, even when the views are late.
    await seen(views, position).catch(() => undefined)
    return { mailboxId, address: addressOf(mailboxId), password }
  }

  const addressOf = (mailboxId: MailboxId) => `${mailboxId}@${domain}`

  const establishOnce = (wanted: Wanted, key: string, cause: Cause) => {
    const under = { keySha256: sha256(key), requestSha256: sha256(JSON.stringify(wanted)) }
    return byKey(under.keySha256, async () => {
      await seen(views, await log.head())
      const earlier = views.createdUnder(under.keySha256)
      if (!earlier) return establish({ ...wanted, idempotency: under }, cause)
      if (earlier.requestSha256 !== under.requestSha256) throw new GatewayError('key-reused')
      return { mailboxId: earlier.mailboxId, address: addressOf(earlier.mailboxId), password: undefined }
    })
  }

  return {
    create: async ({ name, aliases: typed, recovery, idempotencyKey, cause }) => {
      if (recovery !== undefined) recoveryRecipient(recovery)
      const wanted = { name: validName(name), aliases: validAliases(typed), ...(recovery && { recovery }) }
      if (idempotencyKey !== undefined) return establishOnce(wanted, idempotencyKey, cause)
      // What cannot succeed leaves no identity behind, and no mailbox is made whose password nobody may ever see.
      await seen(views, await log.head())
      return establish(wanted, cause)
    },
    rename: async (change, name) =>
      changed({ type: 'rename', data: { mailboxId: change.mailboxId, name: validName(name) } }, change),
    // A request that is repeated while the first one runs is to find its aliases held, and not to give them back.
    changeAliases: (change, { add, remove }) =>
      oneChangeOfAliases(async () => {
        const { mailboxId, cause, ifMatch } = change
        const [wanted, unwanted] = [validAliases(add), validAliases(remove)]
        const held = await aliases.heldOf({ mailboxId, aliases: wanted })
        const added = wanted.filter((alias) => !held.includes(alias))
        const removed = await aliases.heldOf({ mailboxId, aliases: unwanted })
        const command = { type: 'changeAliases', data: { mailboxId, added, removed } } as const
        // Nothing is reserved for what will be refused.
        const { revision } = await decided(command, ifMatch)
        if (added.length + removed.length === 0) return revision
        mayHave(views.aliasesOf(mailboxId).length + added.length - removed.length)
        const appended = await withAliases(added, command, change)
        await aliases.release({ mailboxId, aliases: removed, cause })
        await seen(views, await log.head())
        return appended.revision
      }),
    suspend: async (change, reason) =>
      changed({ type: 'suspend', data: { mailboxId: change.mailboxId, reason: validReason(reason) } }, change),
    resume: (change) => changed({ type: 'resume', data: { mailboxId: change.mailboxId } }, change),
    hold: async (change, reason) =>
      changed({ type: 'hold', data: { mailboxId: change.mailboxId, reason: validReason(reason) } }, change),
    release: async (change, reason) =>
      changed({ type: 'release', data: { mailboxId: change.mailboxId, reason: validReason(reason) } }, change),
    limitProxy: async (change, limits) =>
      changed({ type: 'limit', data: { mailboxId: change.mailboxId, ...validLimits(limits) } }, change),
    setSenderPolicy: async (change, policy) =>
      changed({ type: 'setSenderPolicy', data: { mailboxId: change.mailboxId, ...validSenderPolicy(policy) } }, change),
    delete: async (change, { reason, force }) => {
      const { mailboxId, cause, ifMatch } = change
      const why = validReason(reason)
      const appended = await whileConflicting(async () => {
        const through = await log.head()
        const { next, facts } = await decided({ type: 'delete', data: { mailboxId, reason: why, through } }, ifMatch)
        await seen({ visible: views.allVisible }, through)
        if (!force && views.undrained(mailboxId) > 0) throw new GatewayError('mailbox-not-empty')
        return appendAt(parts, { mailboxId, next }, { facts, cause })
      })
      await seen(views, appended.position)
      await aliases.giveBack({ mailboxId, aliases: views.aliasesOf(mailboxId), cause })
      await seen(views, await log.head())
      return appended.revision
    },
    retain: (change, grace) => changed({ type: 'retain', data: { mailboxId: change.mailboxId, grace } }, change),
  }
}

type Wanted = Pick<EventData['MailboxCreated'], 'name' | 'aliases' | 'idempotency'> & {
  readonly recovery?: string
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

const oneAtATime = () => {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work, work)
    last = result.catch(() => undefined)
    return result
  }
}

/** One at a time of those with the same name. */
const oneAtATimeEach = () => {
  const running = new Map<string, Promise<unknown>>()
  return async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const result = (running.get(name) ?? Promise.resolve()).then(work, work)
    running.set(name, result)
    try {
      return await result
    } finally {
      if (running.get(name) === result) running.delete(name)
    }
  }
}
