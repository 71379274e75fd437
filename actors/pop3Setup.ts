import { assign, emit, setup } from 'xstate'
import { asGatewayError, type GatewayError } from '../src/core/errors.ts'
import type { SessionOutcome } from '../src/core/events.ts'
import { type Deletions, isDeleted, noDeletions, withDeletion } from './deletions.ts'
import {
  capabilities,
  type CredentialsFound,
  failureText,
  type MaildropSize,
  mistakeOf,
  offersUtf8,
  type OpenedMaildrop,
  type Pop3Event,
  type Refusal,
} from './pop3Replies.ts'
import type { Proxied, RemoteStatus } from './proxied.ts'
import { unwired, work } from './session.ts'

export type Pop3Emitted =
  | { readonly type: 'reply'; readonly lines: readonly string[] }
  /** For the log: why a work failed. */
  | { readonly type: 'failed'; readonly error: GatewayError }
  /** For the counts. */
  | { readonly type: 'refused'; readonly kind: Refusal }
  /** Write the message that was fetched, and its end. */
  | { readonly type: 'deliver'; readonly lines: number }
  /** Write the remote server's reply, with all of its lines that are there already. */
  | { readonly type: 'pass'; readonly status: RemoteStatus }
  /** Write the end of the reply that was passed. */
  | { readonly type: 'end' }
  /** The connection has to break now: a message was begun that cannot be ended. */
  | { readonly type: 'breakOff' }

export type Pop3Input = {
  /** By which the shell's work finds the connection. */
  readonly session: string
  readonly domain: string
  /** Whether TLS protects the connection from its first octet. */
  readonly secure: boolean
  /** Whether user names with `%` lead to other servers. */
  readonly proxy: boolean
  /** Mistakes after which the connection is closed. */
  readonly badCommands: number
}

/** A message on its way out, with as many lines of its body: all of them for RETR. */
export type Wanted = { readonly number: number; readonly octets: number; readonly lines: number }

export type Context = Pop3Input & {
  readonly mistakes: number
  readonly refusedLogins: number
  /** The maildrop as it was at login. Its entries stay in the shell. */
  readonly maildrop: MaildropSize
  readonly deletions: Deletions
  readonly deleted: MaildropSize
  readonly wanted: Wanted
  readonly asked: Proxied
  readonly outcome: SessionOutcome
}

export type Work = { readonly session: string }
export type ListingWork = Work & { readonly listing: 'list' | 'uidl'; readonly deletions: Deletions }
export type MessageWork = Work & Wanted
/** `whole`: nothing of the message is still to come, so that nothing can go wrong with it any more. */
export type Fetched = { readonly whole: boolean }
export type ProxiedWork = Work & { readonly asked: Proxied }
/** `rest`: further lines follow, which come as the remote server sends them. */
export type Relayed = { readonly status: RemoteStatus; readonly rest: boolean }
export type UpdateWork = Work & { readonly deletions: Deletions }

/** Refused logins of one connection, after which it is closed. */
const loginAttempts = 3

/** Of nothing. */
export const empty: MaildropSize = { count: 0, octets: 0 }

/** What is not marked as deleted. */
export const left = ({ maildrop, deleted }: Context): MaildropSize => ({
  count: maildrop.count - deleted.count,
  octets: maildrop.octets - deleted.octets,
})

/** What a work failed with. The machine's own event type names only what the shell sends. */
const errorOf = (event: object): unknown => ('error' in event ? event.error : undefined)
export type Done<T> = { readonly event: { readonly output: T } }
export const outputOf = <T>({ event }: Done<T>) => event.output

const outputIs = (event: object, output: unknown) => 'output' in event && event.output === output

export const pop3 = setup({
  types: {
    context: {} as Context,
    events: {} as Pop3Event,
    emitted: {} as Pop3Emitted,
    input: {} as Pop3Input,
    tags: {} as 'ready' | 'response' | 'maildrop' | 'remote',
  },
  actors: {
    /** TLS is up when it resolves. */
    upgrade: work<unknown, Work>(unwired),
    /** Opens the maildrop with the credentials that the shell keeps. */
    unlock: work<OpenedMaildrop, Work>(unwired),
    /** Writes the lines of a listing and its end. */
    enumerate: work<unknown, ListingWork>(unwired),
    /** Resolves when there is something to send; a failure here can still be answered. */
    fetch: work<Fetched, MessageWork>(unwired),
    /** Writes a message that was not fetched whole, and its end. A failure here can only break the connection. */
    send: work<unknown, MessageWork>(unwired),
    /** Commits the deletions. */
    update: work<unknown, UpdateWork>(unwired),
    /** Logs in at the remote server with the credentials that the shell keeps. */
    connect: work<RemoteStatus, Work>(unwired),
    /** Gives the remote server the response to its challenge that the shell keeps. */
    answer: work<RemoteStatus, Work>(unwired),
    /** Asks the remote server. Resolves when a reply can be passed; a failure here can still be answered. */
    relay: work<Relayed, ProxiedWork>(unwired),
    /** Writes the rest of a reply but its end. A failure here can only break the connection. */
    passOn: work<unknown, Work>(unwired),
  },
  guards: {
    plain: ({ context }) => !context.secure,
    offersUtf8: ({ context }) => offersUtf8(context),
    /** Nothing that belongs to a login is taken before TLS, whatever the shell says it has found. */
    found: ({ context, event }, what: CredentialsFound | 'awaited' | 'cancelled') =>
      context.secure && 'found' in event && event.found === what,
    leadsElsewhere: ({ context, event }) =>
      context.proxy && context.secure && 'found' in event && event.found === 'proxied',
    asksQuit: ({ event }) => event.type === 'proxied' && event.verb === 'quit',
    remote: ({ event }, status: RemoteStatus) => outputIs(event, status),
    remoteRefusesLast: ({ context, event }) => outputIs(event, 'err') && context.refusedLogins + 1 >= loginAttempts,
    hasRest: (_, { rest }: Relayed) => rest,
    remoteGone: ({ event }) => asGatewayError(errorOf(event)).code === 'proxy-lost',
    exists: ({ context, event }) =>
      'message' in event && event.message !== undefined && !isDeleted(context.deletions, event.message.number),
    namesNone: ({ event }) => 'message' in event,
    lastMistake: ({ context }) => context.mistakes + 1 >= context.badCommands,
    lastAttempt: ({ context }) => context.refusedLogins + 1 >= loginAttempts,
    fetchedWhole: (_, fetched: Fetched) => fetched.whole,
    unchanged: ({ context }) => context.deleted.count === 0,
  },
  actions: {
    say: emit((_, text: string): Pop3Emitted => ({ type: 'reply', lines: [text] })),
    tellCapabilities: emit(({ context }): Pop3Emitted => ({ type: 'reply', lines: capabilities(context) })),
    sayFailure: emit(({ event }): Pop3Emitted => ({ type: 'reply', lines: [failureText(errorOf(event))] })),
    report: emit(({ event }): Pop3Emitted => ({ type: 'failed', error: asGatewayError(errorOf(event)) })),
    refuse: emit(({ event }): Pop3Emitted => ({ type: 'reply', lines: [mistakeOf(event).text] })),
    countRefusal: emit(({ event }): Pop3Emitted => ({ type: 'refused', kind: mistakeOf(event).kind })),
    sayOctets: emit(({ context }): Pop3Emitted => ({ type: 'reply', lines: [`+OK ${context.wanted.octets} octets`] })),
    deliver: emit(({ context }): Pop3Emitted => ({ type: 'deliver', lines: context.wanted.lines })),
    pass: emit((_, status: RemoteStatus): Pop3Emitted => ({ type: 'pass', status })),
    end: emit({ type: 'end' } as const),
    breakOff: emit({ type: 'breakOff' } as const),
    countMistake: assign({ mistakes: ({ context }) => context.mistakes + 1 }),
    countAttempt: assign({ refusedLogins: ({ context }) => context.refusedLogins + 1 }),
    secured: assign({ secure: true }),
    opened: assign((_, { count, octets }: OpenedMaildrop) => ({
      maildrop: { count, octets },
      deletions: noDeletions(count),
    })),
    want: assign(({ event }) =>
      'message' in event && event.message
        ? { wanted: { ...event.message, lines: event.type === 'top' ? event.lines : Infinity } }
        : {},
    ),
    ask: assign(({ event }) =>
      event.type === 'proxied' ? { asked: { verb: event.verb, number: event.number, lines: event.lines } } : {},
    ),
    mark: assign(({ context: { deletions, deleted }, event }) =>
      'message' in event && event.message
        ? {
            deletions: withDeletion(deletions, event.message.number),
            deleted: { count: deleted.count + 1, octets: deleted.octets + event.message.octets },
          }
        : {},
    ),
    unmark: assign(({ context }) => ({ deletions: noDeletions(context.maildrop.count), deleted: empty })),
    ending: assign((_, outcome: SessionOutcome) => ({ outcome })),
  },
})
