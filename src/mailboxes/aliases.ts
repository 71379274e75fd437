import { GatewayError } from '../core/errors.ts'
import type { Cause, Fact, Recorded, Stamp } from '../core/events.ts'
import { type MailboxId, newCommandId } from '../core/ids.ts'
import type { EventLog, Expected } from '../core/ports.ts'
import { aliasStream } from '../core/streams.ts'
import { exists, newestOf, type NewestParts } from './newest.ts'
import { appendSurely, eventsOf, whileConflicting } from './stream.ts'

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

/** Addresses: each belongs to the mailbox that reserved it last, and its stream's revisions let one writer through. */
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

  /** A reservation whose mailbox is not there, because the gateway died in between, holds nobody up. */
  const freeState = async (alias: string): Promise<AliasState> => {
    const state = await stateOf(alias)
    const { holder } = state
    if (holder !== undefined && exists(await newestOf(parts, holder)))
      throw new GatewayError('alias-taken', { detail: `${alias} belongs to another mailbox` })
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
      for (const alias of aliases) await freeState(alias)
    },
    /** Rejects with `alias-taken`, or what the log rejects with; some may have been reserved by then. */
    reserve: async ({ mailboxId, aliases, cause }: AliasRequest): Promise<void> => {
      for (const alias of aliases)
        await whileConflicting(async () => {
          const { next } = await freeState(alias)
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
