import { type MailboxState, mayDo, stateAfter } from '../actors/mailbox.ts'
import { normaliseAddress, parseAddress } from './core/address.ts'
import { asGatewayError, type ErrorCode, GatewayError } from './core/errors.ts'
import type { Cause, EventData, Fact, Recorded, Stamp } from './core/events.ts'
import { isMailboxId, type MailboxId, newCommandId, newMailboxId, type Position } from './core/ids.ts'
import type { Append, Appended, EventLog, Expected } from './core/ports.ts'
import { parseNetwork } from './core/network.ts'
import type { Secret } from './core/secret.ts'
import { aliasStream, mailboxStream, type StreamName } from './core/streams.ts'
import { parseTargetPattern } from './core/target.ts'

export type NewMailbox = {
  /** 1 to 200 printable characters. */
  readonly name: string
  /** Addresses whose mail it shall receive. */
  readonly aliases: readonly string[]
  readonly cause: Cause
}

/** What creation tells, once: the password is kept nowhere. */
export type CreatedMailbox = { readonly mailboxId: MailboxId; readonly address: string; readonly password: Secret }

/** What its mail clients may do through the proxy; an empty list limits nothing. */
export type ProxyLimits = { readonly targets: readonly string[]; readonly networks: readonly string[] }

/** The use cases of a mailbox's life. What they have changed is durable and seen in the views when they resolve. */
export type Mailboxes = {
  /**
   * Rejects with `request-invalid` (the detail names the field), `alias-taken` or what the log rejects with. A creation
   * that failed gives its aliases back; the identity file that was made for it stays and opens nothing.
   */
  create(mailbox: NewMailbox): Promise<CreatedMailbox>
  /** Rejects with `request-invalid`, `mailbox-unknown`, `mailbox-conflict` or what the log rejects with. */
  suspend(mailboxId: MailboxId, reason: string, cause: Cause): Promise<void>
  /** Rejects as `suspend` does. */
  resume(mailboxId: MailboxId, cause: Cause): Promise<void>
  /** In place of the limits before. Rejects as `suspend` does. */
  limitProxy(mailboxId: MailboxId, limits: ProxyLimits, cause: Cause): Promise<void>
}

export type MailboxesParts = {
  readonly log: Pick<EventLog, 'append' | 'readStream' | 'head'>
  readonly stamp: Stamp
  readonly keys: {
    /** Resolves when the identity, under a new password, is durable. */
    createIdentity(of: { readonly mailboxId: MailboxId; readonly generation: number }): Promise<{
      readonly recipient: string
      readonly password: Secret
      readonly identitySha256: string
    }>
  }
  readonly views: { visible(position: Position, signal?: AbortSignal): Promise<void> }
  /** The gateway's domain, of which every mailbox has an address. */
  readonly domain: string
}

export type MailboxCommand =
  | { readonly type: 'create'; readonly data: EventData['MailboxCreated'] }
  | { readonly type: 'suspend'; readonly data: EventData['MailboxSuspended'] }
  | { readonly type: 'resume'; readonly data: EventData['MailboxResumed'] }
  | { readonly type: 'limit'; readonly data: EventData['MailboxProxyLimited'] }

export type Decision = { readonly facts: readonly Fact[] } | { readonly refusal: ErrorCode }

/** What a command makes of a mailbox in this state. */
export const decide = (command: MailboxCommand, state: MailboxState): Decision => {
  if (!mayDo(state, command.type)) return { refusal: state === 'absent' ? 'mailbox-unknown' : 'mailbox-conflict' }
  switch (command.type) {
    case 'create':
      return { facts: [{ type: 'MailboxCreated', data: command.data }] }
    case 'suspend':
      return { facts: [{ type: 'MailboxSuspended', data: command.data }] }
    case 'resume':
      return { facts: [{ type: 'MailboxResumed', data: command.data }] }
    case 'limit':
      return { facts: [{ type: 'MailboxProxyLimited', data: command.data }] }
  }
}

/** The mailbox's state after one more event of its stream. Throws `event-unreadable` for an event that cannot follow. */
export const evolve = (state: MailboxState, { type, position }: Pick<Recorded, 'type' | 'position'>): MailboxState => {
  const change = changeIn[type]
  if (!change) return state
  const next = stateAfter(state, { type: change })
  if (next) return next
  throw new GatewayError('event-unreadable', { detail: `${type} at ${position} cannot follow: mailbox is ${state}` })
}

const changeIn: { readonly [T in Recorded['type']]?: Parameters<typeof stateAfter>[1]['type'] } = {
  MailboxCreated: 'created',
  MailboxSuspended: 'suspended',
  MailboxResumed: 'resumed',
  MailboxProxyLimited: 'limited',
}

/** An address's stream: who holds the address, if anybody. */
export type AliasState = { readonly holder: MailboxId | undefined; readonly next: Expected }
const unreserved: AliasState = { holder: undefined, next: 'no-stream' }

export const evolveAlias = (state: AliasState, event: Recorded): AliasState => {
  switch (event.type) {
    case 'AliasReserved':
      return { holder: event.data.mailboxId, next: event.revision }
    case 'AliasReleased':
      return { holder: event.data.mailboxId === state.holder ? undefined : state.holder, next: event.revision }
    default:
      return { ...state, next: event.revision }
  }
}

/** Attempts when others write the same stream at the same time, or when an append's outcome stays unknown. */
const attempts = 5
/** Milliseconds that a change may take to be seen in the views. */
const visibleWithin = 10_000

export const createMailboxes = (parts: MailboxesParts): Mailboxes => {
  const { log, stamp, keys, views, domain } = parts
  const aliases = aliasesOf(log, stamp)
  const alone = oneAtATime()

  const append = (stream: StreamName, expected: Expected, facts: readonly Fact[], cause: Cause) =>
    appendSurely(log, { stream, expected, commandId: newCommandId(), events: facts.map((fact) => stamp(fact, cause)) })

  /** Decides on the mailbox as its stream tells it, again if somebody else was first. */
  const change = (command: MailboxCommand, cause: Cause): Promise<Appended> =>
    whileConflicting(async () => {
      const stream = mailboxStream(command.data.mailboxId)
      let state: MailboxState = 'absent'
      let expected: Expected = 'no-stream'
      for await (const event of eventsOf(log, stream)) {
        state = evolve(state, event)
        expected = event.revision
      }
      const decision = decide(command, state)
      if ('refusal' in decision) throw new GatewayError(decision.refusal)
      return append(stream, expected, decision.facts, cause)
    })

  const changed = async (command: MailboxCommand, cause: Cause) => {
    const { position } = await change(command, cause)
    await seen(views, position)
  }

  /**
   * Alone, because an address is taken over from a mailbox that does not exist: nobody in this process, the data
   * directory's only one, may be about to make it exist.
   */
  const establish = (data: EventData['MailboxCreated'], cause: Cause) =>
    alone(async () => {
      try {
        for (const alias of data.aliases) await aliases.reserve(alias, data.mailboxId, cause)
        return await change({ type: 'create', data }, cause)
      } catch (error) {
        // The mailbox may exist, and then its addresses are its own.
        if (asGatewayError(error).code !== 'outcome-unknown') await aliases.release(data, cause)
        throw error
      }
    })

  return {
    create: async ({ name, aliases: typed, cause }) => {
      const wanted = { name: validName(name), aliases: validAliases(typed) }
      // What cannot succeed leaves no identity behind, and no mailbox is made whose password nobody may ever see.
      await seen(views, await log.head())
      for (const alias of wanted.aliases) await aliases.mustBeFree(alias)
      const mailboxId = newMailboxId()
      const generation = 1
      const { password, ...identity } = await keys.createIdentity({ mailboxId, generation })
      const { recipient, identitySha256 } = identity
      const { position } = await establish({ mailboxId, ...wanted, recipient, generation, identitySha256 }, cause)
      // The mailbox exists: its only password must reach the caller, even when the views are late.
      await seen(views, position).catch(() => undefined)
      return { mailboxId, address: `${mailboxId}@${domain}`, password }
    },
    suspend: async (mailboxId, reason, cause) =>
      changed({ type: 'suspend', data: { mailboxId, reason: validReason(reason) } }, cause),
    resume: (mailboxId, cause) => changed({ type: 'resume', data: { mailboxId } }, cause),
    limitProxy: async (mailboxId, limits, cause) =>
      changed({ type: 'limit', data: { mailboxId, ...validLimits(limits) } }, cause),
  }
}

/** Addresses: each belongs to the mailbox that reserved it last, and its stream's revisions let one writer through. */
const aliasesOf = (log: MailboxesParts['log'], stamp: Stamp) => {
  const stateOf = async (alias: string) => {
    let state = unreserved
    for await (const event of eventsOf(log, aliasStream(alias))) state = evolveAlias(state, event)
    return state
  }
  const write = (fact: Fact<'AliasReserved' | 'AliasReleased'>, expected: Expected, cause: Cause) => {
    const stream = aliasStream(fact.data.alias)
    return appendSurely(log, { stream, expected, commandId: newCommandId(), events: [stamp(fact, cause)] })
  }
  const isTaken = async ({ holder }: AliasState) => holder !== undefined && (await exists(log, holder))

  /** A reservation whose mailbox was never created, because the gateway died in between, holds nobody up. */
  const freeState = async (alias: string): Promise<AliasState> => {
    const state = await stateOf(alias)
    if (await isTaken(state)) throw new GatewayError('alias-taken', { detail: `${alias} belongs to another mailbox` })
    return state
  }

  return {
    mustBeFree: async (alias: string): Promise<void> => {
      await freeState(alias)
    },
    reserve: (alias: string, mailboxId: MailboxId, cause: Cause): Promise<Appended> =>
      whileConflicting(async () => {
        const { next } = await freeState(alias)
        return write({ type: 'AliasReserved', data: { mailboxId, alias } }, next, cause)
      }),
    /** What cannot be released stays reserved by a mailbox that does not exist, and so can be taken over. */
    release: async ({ mailboxId, aliases }: EventData['MailboxCreated'], cause: Cause): Promise<void> => {
      for (const alias of aliases) {
        try {
          const { holder, next } = await stateOf(alias)
          if (holder === mailboxId) await write({ type: 'AliasReleased', data: { mailboxId, alias } }, next, cause)
        } catch {
          // The failure that made the creation fail is the one to be told.
        }
      }
    },
  }
}

const exists = async (log: MailboxesParts['log'], mailboxId: MailboxId) =>
  (await log.readStream(mailboxStream(mailboxId), 0, 1)).length > 0

async function* eventsOf(log: MailboxesParts['log'], stream: StreamName): AsyncGenerator<Recorded> {
  const limit = 500
  for (let revision = 0; ; revision += limit) {
    const events = await log.readStream(stream, revision, limit)
    yield* events
    if (events.length < limit) return
  }
}

/** Appends; asks again, as the same command, as long as nobody knows whether it was written. */
const appendSurely = (log: MailboxesParts['log'], append: Append) =>
  againWhile('outcome-unknown', () => log.append(append))

const whileConflicting = <T>(work: () => Promise<T>) => againWhile('revision-conflict', work)

const againWhile = async <T>(code: ErrorCode, work: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (asGatewayError(error).code !== code || attempt === attempts) throw error
    }
  }
}

const seen = async (views: MailboxesParts['views'], position: Position): Promise<void> => {
  const signal = AbortSignal.timeout(visibleWithin)
  try {
    await views.visible(position, signal)
  } catch (error) {
    throw signal.aborted ? new GatewayError('storage-failed', { cause: error }) : error
  }
}

const oneAtATime = () => {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work, work)
    last = result.catch(() => undefined)
    return result
  }
}

const maxText = 200
const maxAliases = 100
const maxLimits = 100
// No control, no line or paragraph separator, no lone surrogate, nothing that turns the direction of what follows it.
const printable = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u{202A}-\u{202E}\u{2066}-\u{2069}]*$/u

const validText = (field: string, text: string): string => {
  const characters = Array.from(text).length
  if (text.trim() === '' || characters > maxText || !printable.test(text)) {
    throw invalid(field, `must be 1 to ${maxText} printable characters`)
  }
  return text
}
const validName = (name: string) => validText('name', name)
const validReason = (reason: string) => validText('reason', reason)

const validLimits = ({ targets, networks }: ProxyLimits): ProxyLimits => ({
  targets: validList(
    'targets',
    'a server such as pop.example.net:995 or *.example.net',
    targets.map(parseTargetPattern),
  ),
  networks: validList('networks', 'a network such as 192.0.2.0/24', networks.map(parseNetwork)),
})

const validList = (field: string, what: string, list: readonly (string | undefined)[]): readonly string[] => {
  if (list.length > maxLimits) throw invalid(field, `are more than ${maxLimits}`)
  return list.map((item) => {
    if (item === undefined) throw invalid(field, `must each be ${what}`)
    return item
  })
}

/** The aliases normalised. */
const validAliases = (typed: readonly string[]): readonly string[] => {
  if (typed.length > maxAliases) throw invalid('aliases', `are more than ${maxAliases}`)
  const aliases = typed.map(validAlias)
  if (new Set(aliases).size < aliases.length) throw invalid('aliases', 'name an address twice')
  return aliases
}

const validAlias = (text: string): string => {
  const address = parseAddress(text)
  if (!address) throw invalid('aliases', `hold ${JSON.stringify(text.slice(0, 100))}, which is not an address`)
  const alias = normaliseAddress(address)
  // `%` separates what a proxy user name is made of.
  if (alias.includes('%')) throw invalid('aliases', 'must not contain %')
  if (isMailboxId(alias.slice(0, alias.lastIndexOf('@')))) throw invalid('aliases', 'must not look like a mailbox id')
  return alias
}

const invalid = (field: string, why: string) => new GatewayError('request-invalid', { detail: `${field} ${why}` })
