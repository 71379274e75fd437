import { assign, emit, setup } from 'xstate'
import { asGatewayError, type ErrorCode, GatewayError } from '../src/core/errors.ts'
import type { ProxyMechanism, SessionOutcome } from '../src/core/events.ts'
import { isOneOf, listings, type Proxied, type RemoteStatus, singleReplies } from './proxied.ts'
import { unwired, work } from './session.ts'

/** What the client's side tells a proxy connection. */
export type Pop3ProxyEvent =
  | ({ readonly type: 'asked' } & Proxied)
  /** The client's response to the remote server's challenge. */
  | { readonly type: 'answer' }
  | { readonly type: 'closed'; readonly outcome: SessionOutcome }

export type Pop3ProxyEmitted =
  /** The remote server's last reply is the client's. */
  | { readonly type: 'pass'; readonly status: RemoteStatus }
  /** It has taken the login. */
  | { readonly type: 'loggedIn' }
  /** The end of what it sent may be the client's: of a message, the copy is durable or not needed. */
  | { readonly type: 'release' }
  /** The client's command, or its login, has come to nothing. */
  | { readonly type: 'fail'; readonly error: GatewayError }

export type Pop3Mechanism = Exclude<ProxyMechanism, 'LOGIN'>

export type Pop3ProxyInput = {
  /** By which the shell's work finds the connection. */
  readonly session: string
  /** Whether TLS protects the connection from its first octet. */
  readonly secure: boolean
  /** With which the client has logged in. */
  readonly mechanism: Pop3Mechanism
}

/** What a remote server can do, as far as the login depends on it (RFC 2449, RFC 5034). Without CAPA that is USER. */
export type Capable = { readonly stls: boolean; readonly user: boolean; readonly mechanisms: readonly Pop3Mechanism[] }

/** What is said to the remote server. The words themselves, and every secret, stay in the shell. */
export type Saying =
  'stls' | 'user' | 'pass' | 'auth' | 'response' | 'answer' | 'command' | 'retr' | 'top' | 'dele' | 'quit'

/**
 * What came in the place of a message: one that is already recorded with just this content, fewer lines than the message has
 * (TOP), or the whole message, which has to be recorded.
 */
export type Taken = 'same' | 'partial' | 'whole'

export type ProxyContext = Pop3ProxyInput & {
  readonly capable: Capable
  readonly challenges: number
  readonly asked: Proxied
  readonly outcome: SessionOutcome
}

type ProxyWork = { readonly session: string }
export type TellWork = ProxyWork & { readonly say: Saying; readonly asked: Proxied }
export type MessageWork = ProxyWork & { readonly asked: Proxied }

/** Challenges of one login; the mechanisms have at most one after the first (RFC 7628 §3.2.3). */
const mostChallenges = 3

const errorOf = (event: object): unknown => ('error' in event ? event.error : undefined)

export type WorkDone<T> = { readonly event: { readonly output: T } }

export const pop3ProxySetup = setup({
  types: {
    context: {} as ProxyContext,
    events: {} as Pop3ProxyEvent,
    emitted: {} as Pop3ProxyEmitted,
    input: {} as Pop3ProxyInput,
    tags: {} as 'ready',
  },
  actors: {
    /** The greeting. Like every work that hears the remote server it rejects with `proxy-lost`. */
    hear: work<RemoteStatus, ProxyWork>(unwired),
    tell: work<RemoteStatus, TellWork>(unwired),
    /** CAPA. */
    inquire: work<Capable, ProxyWork>(unwired),
    /** TLS is up, the certificate valid, when it resolves. */
    upgrade: work<unknown, ProxyWork>(unwired),
    /** Passes a reply of many lines to the client, up to its end. */
    list: work<unknown, ProxyWork>(unwired),
    /** Whether just what the server has is recorded, as this connection has seen. */
    identify: work<boolean, MessageWork>(unwired),
    /** Takes a message to its end, for the client except with DELE, and seals it meanwhile. */
    take: work<Taken, MessageWork>(unwired),
    /** Resolves when the copy of what was taken is durable. */
    hold: work<unknown, ProxyWork>(unwired),
  },
  guards: {
    heard: ({ event }, status: RemoteStatus) => outputIs(event, status),
    /** No credentials go to a server that offers no TLS, or says so. */
    mayUpgrade: ({ context, event }) => !context.secure && capableIn(event)?.stls === true,
    plain: ({ context }) => !context.secure,
    /** PLAIN and USER with PASS say the same, and stand for each other where the server lacks one. */
    takesUser: ({ context, event }) => {
      const capable = capableIn(event)
      if (!capable?.user) return false
      const { mechanism } = context
      return mechanism === 'USER' || (mechanism === 'PLAIN' && !capable.mechanisms.includes('PLAIN'))
    },
    takesMechanism: ({ context, event }) =>
      capableIn(event)?.mechanisms.includes(context.mechanism === 'USER' ? 'PLAIN' : context.mechanism) ?? false,
    mayChallenge: ({ context, event }) => outputIs(event, 'continue') && context.challenges < mostChallenges,
    asksOneLine: ({ event }) => event.type === 'asked' && isOneOf(singleReplies, event),
    asksListing: ({ event }) => event.type === 'asked' && isOneOf(listings, event),
    asksQuit: ({ event }) => event.type === 'asked' && event.verb === 'quit',
    asksMessage: ({ event }) => event.type === 'asked' && event.number !== undefined,
    deletes: ({ context }) => context.asked.verb === 'dele',
    tops: ({ context }) => context.asked.verb === 'top',
    deletesRecorded: ({ context, event }) => context.asked.verb === 'dele' && outputIs(event, true),
    took: ({ event }, taken: Taken) => outputIs(event, taken),
  },
  actions: {
    pass: emit((_, status: RemoteStatus): Pop3ProxyEmitted => ({ type: 'pass', status })),
    loggedIn: emit({ type: 'loggedIn' } as const),
    release: emit({ type: 'release' } as const),
    fail: emit(({ event }): Pop3ProxyEmitted => ({ type: 'fail', error: asGatewayError(errorOf(event)) })),
    failWith: emit((_, code: ErrorCode): Pop3ProxyEmitted => ({ type: 'fail', error: new GatewayError(code) })),
    secured: assign({ secure: true }),
    countChallenge: assign({ challenges: ({ context }) => context.challenges + 1 }),
    want: assign(({ event }) =>
      event.type === 'asked' ? { asked: { verb: event.verb, number: event.number, lines: event.lines } } : {},
    ),
    ending: assign((_, outcome: SessionOutcome) => ({ outcome })),
  },
})

// Events of work are the library's own and not in the machine's type.
const outputIs = (event: object, output: unknown) => 'output' in event && event.output === output
const capableIn = (event: object) => ('output' in event ? (event.output as Capable) : undefined)
