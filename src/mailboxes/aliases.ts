import { GatewayError } from '../core/errors.ts'
import type { Cause, Fact, Recorded, Stamp } from '../core/events.ts'
import { type MailboxId, newCommandId } from '../core/ids.ts'
import type { EventLog, Expected } from '../core/ports.ts'
import { aliasStream } from '../core/streams.ts'
import { appendAt, factsOf } from './append.ts'
import { exists, type MailboxAsOf, newestOf, type NewestParts } from './newest.ts'
import { appendSurely, eventsOf, whileConflicting } from '../core/appending.ts'

/** An address's stream: who holds the address, if anybody. */
type AliasState = { readonly holder: MailboxId | undefined; readonly next: Expected }
const unreserved: AliasState = { holder: undefined, next: 'no-stream' }

const evolveAlias = (state: AliasState, event: Recorded): AliasState => {
  switch (event.type) {
    case 'AliasReserved':
      return { holder: event.data.mailboxId, next: event.revision }
    case 'AliasReleased':
      return { holder: event.data.mailboxId === state.holder ? undefined : state.holder, next: event.revision }
    default:
      return { ...state, next: event.revision }
  }
}

/** Addresses whose they are, and those who want them. */
export type AliasRequest = {
  readonly mailboxId: MailboxId
  readonly aliases: readonly string[]
  readonly cause: Cause
}

export type AliasesParts = NewestParts & {
  readonly log: Pick<EventLog, 'append' | 'readStream'>
  readonly stamp: Stamp
}

/**
 * Addresses: each belongs to the mailbox that reserved it last, and its stream's revisions let one writer through. Of two
 * gateways that want one address at once, at most one is told that it has it.
 */
export const aliasesOf = (parts: AliasesParts) => {
  const { log, stamp } = parts
  const stateOf = async (alias: string) => {
    let state = unreserved
    for await (const event of eventsOf(log, aliasStream(alias))) state = evolveAlias(state, event)
    return state
  }
  const write = (fact: Fact<'AliasReserved' | 'AliasReleased'>, expected: Expected, cause: Cause) => {
    const stream = aliasStream(fact.data.alias)
    return appendSurely(log, { stream, expected, commandId: newCommandId(), events: [stamp(fact, cause)] })
  }

  const holderOf = async (alias: string, holder: MailboxId): Promise<MailboxAsOf> => {
    const mailbox = await newestOf(parts, holder)
    if (exists(mailbox)) throw new GatewayError('alias-taken', { detail: `${alias} belongs to another mailbox` })
    return mailbox
  }

  /**
   * A reservation whose mailbox is not there, because the gateway died in between, holds nobody up. But the mailbox may be
   * about to be created, by another gateway: from here on it cannot be.
   */
  const freed = async (alias: string, cause: Cause): Promise<AliasState> => {
    const state = await stateOf(alias)
    if (state.holder === undefined) return state
    const mailboxId = state.holder
    const holder = await holderOf(alias, mailboxId)
    if (holder.state !== 'absent') return state
    const facts = factsOf({ type: 'abandon', data: { mailboxId } }, holder)
    await appendAt(parts, { mailboxId, next: holder.next }, { facts, cause })
    return state
  }
  const releaseOne = (alias: string, { mailboxId, cause }: AliasRequest) =>
    whileConflicting(async () => {
      const { holder, next } = await stateOf(alias)
      if (holder === mailboxId) await write({ type: 'AliasReleased', data: { mailboxId, alias } }, next, cause)
    })

  /** Those of the addresses that the mailbox holds. */
  const heldOf = async ({ mailboxId, aliases }: Omit<AliasRequest, 'cause'>): Promise<readonly string[]> => {
    const held: string[] = []
    for (const alias of aliases) if ((await stateOf(alias)).holder === mailboxId) held.push(alias)
    return held
  }

  return {
    heldOf,
    /** Rejects with `alias-taken`. */
    mustBeFree: async (aliases: readonly string[]): Promise<void> => {
      for (const alias of aliases) {
        const { holder } = await stateOf(alias)
        if (holder !== undefined) await holderOf(alias, holder)
      }
    },
    /** Rejects with `alias-taken`, or what the log rejects with; some may have been reserved by then. */
    reserve: async ({ mailboxId, aliases, cause }: AliasRequest): Promise<void> => {
      for (const alias of aliases)
        await whileConflicting(async () => {
          const { next } = await freed(alias, cause)
          return write({ type: 'AliasReserved', data: { mailboxId, alias } }, next, cause)
        })
    },
    release: async (request: AliasRequest): Promise<void> => {
      for (const alias of request.aliases) await releaseOne(alias, request)
    },
    /** The same after another failure, which is the one to be told. */
    giveBack: async (request: AliasRequest): Promise<void> => {
      // What cannot be released stays: one that has no mailbox can be taken over, any other be released again.
      for (const alias of request.aliases) await releaseOne(alias, request).catch(() => undefined)
    },
  }
}
