import { assign, emit, setup } from 'xstate'
import { asGatewayError, type ErrorCode, GatewayError } from '../src/core/errors.ts'
import type { ProxyMechanism, SessionOutcome } from '../src/core/events.ts'
import type { MessageId } from '../src/core/ids.ts'
import type { AskedVerb } from './proxiedSmtp.ts'

export type SmtpMechanism = Exclude<ProxyMechanism, 'USER'>

/** What the EHLO of a remote server says about the login. */
export type LoginOffers = { readonly starttls: boolean; readonly mechanisms: readonly SmtpMechanism[] }

/** What the remote server and the client's side tell a proxy connection. No word of either is among it. */
export type SmtpProxyEvent =
  /** A reply of the remote server; that to EHLO is `offered` when it is positive. */
  | { readonly type: 'replied'; readonly code: number }
  | ({ readonly type: 'offered' } & LoginOffers)
  /** TLS is active, the certificate valid. */
  | { readonly type: 'secured' }
  | { readonly type: 'unsecured'; readonly error: unknown }
  /** The client's command. */
  | { readonly type: 'asked'; readonly verb: AskedVerb }
  /** The client's response to the remote server's challenge. */
  | { readonly type: 'answer' }
  /** The client has sent all of its message, and the remote server was sent all of it but the end. */
  | { readonly type: 'bodyEnded' }
  /** The message is sealed and recorded. */
  | { readonly type: 'durable'; readonly messageId: MessageId }
  /** It is not, or not known to be. */
  | { readonly type: 'unsealed'; readonly error: unknown }
  /** The outcome is recorded, as far as it could be. */
  | { readonly type: 'settled' }
  /** The remote server has said nothing for as long as it may. */
  | { readonly type: 'silent' }
  /** What the remote server sends is no reply. */
  | { readonly type: 'nonsense' }
  /** Its connection is gone. */
  | { readonly type: 'closed' }
  /** The client says goodbye or is gone. */
  | { readonly type: 'left' }
  /** The gateway stops. */
  | { readonly type: 'stopped' }

/** What is said to the remote server. The words, and every secret, stay in the shell. */
export type Saying = 'ehlo' | 'starttls' | 'message' | 'user' | 'password' | 'answer' | AskedVerb | 'quit'

export type RelayOutcome = 'accepted' | 'refused' | 'silent'

/** What the shell is to do; in order, and at once. */
export type SmtpProxyEffect =
  | { readonly type: 'say'; readonly what: Saying }
  | { readonly type: 'startTls' }
  /** Say AUTH, with the client's message if `initial` allows it. */
  | { readonly type: 'authenticate'; readonly mechanism: SmtpMechanism }
  /** The remote server has taken the login, or refused it. */
  | { readonly type: 'loggedIn'; readonly mechanism: SmtpMechanism }
  | { readonly type: 'loginRefused'; readonly code: number }
  /** The remote server's last reply is the client's. */
  | { readonly type: 'pass'; readonly code: number }
  /** The client's login, command or message has come to nothing. */
  | { readonly type: 'fail'; readonly error: GatewayError }
  /** Seals what the client sends from now on, and sends it to the remote server. */
  | { readonly type: 'relay' }
  /** Ends the message at the remote server: that may send it from then on. */
  | { readonly type: 'endData' }
  /** Records what became of the message. */
  | { readonly type: 'settle'; readonly outcome: RelayOutcome; readonly code: number }
  /** No end was sent and none will be: a copy that there is or will be is one of a message that nobody was sent. */
  | { readonly type: 'withdraw'; readonly code: number }
  /** The remote server is gone between two commands. */
  | { readonly type: 'lost' }
  | { readonly type: 'ended'; readonly outcome: SessionOutcome }

export type SmtpProxyInput = {
  /** Whether TLS protects the connection from its first octet. */
  readonly secure: boolean
  /** With which the client has logged in. */
  readonly mechanism: SmtpMechanism
  /** Whether its message is short enough to stand in the AUTH command (RFC 4954 §4). */
  readonly initial: boolean
}

export type SmtpProxyContext = SmtpProxyInput & {
  /** With which the gateway logs in. */
  readonly chosen: SmtpMechanism
  /** What is still to be said upon challenges. */
  readonly unsaid: readonly Saying[]
  readonly challenges: number
  readonly answer: { readonly outcome: RelayOutcome; readonly code: number }
  /** The client's side is over. */
  readonly alone: boolean
  /** The remote server's side is over. */
  readonly gone: boolean
}

/** Challenges that a client answers in one login; OAuth has one, with what is wrong (RFC 7628 §3.2.3). */
const mostChallenges = 3

/** PLAIN and LOGIN say the same, and stand for each other where the server lacks one. */
const substitutes: Readonly<Record<SmtpMechanism, readonly SmtpMechanism[]>> = {
  PLAIN: ['PLAIN', 'LOGIN'],
  LOGIN: ['LOGIN', 'PLAIN'],
  XOAUTH2: ['XOAUTH2'],
  OAUTHBEARER: ['OAUTHBEARER'],
}

const chosenOf = (mechanism: SmtpMechanism, offered: readonly SmtpMechanism[]): SmtpMechanism | undefined =>
  substitutes[mechanism].find((name) => offered.includes(name))

const unsaidOf = (chosen: SmtpMechanism, initial: boolean): readonly Saying[] => {
  if (chosen === 'LOGIN') return ['user', 'password']
  return initial ? [] : ['message']
}

/** RFC 5321 §4.2.1: what the first digit says. */
export const isPositive = (code: number) => code >= 200 && code < 300
export const isRefusal = (code: number) => code >= 400

export const smtpProxySetup = setup({
  types: {
    context: {} as SmtpProxyContext,
    input: {} as SmtpProxyInput,
    events: {} as SmtpProxyEvent,
    emitted: {} as SmtpProxyEffect,
  },
  guards: {
    positive: ({ event }) => event.type === 'replied' && isPositive(event.code),
    refusal: ({ event }) => event.type === 'replied' && isRefusal(event.code),
    temporary: ({ event }) => event.type === 'replied' && event.code >= 400 && event.code < 500,
    /** What may answer a command: not that something is still to come. */
    answers: ({ event }) => event.type === 'replied' && (isPositive(event.code) || isRefusal(event.code)),
    code: ({ event }, code: number) => event.type === 'replied' && event.code === code,
    secure: ({ context }) => context.secure,
    offersTls: ({ event }) => event.type === 'offered' && event.starttls,
    /** No credentials go to a server without TLS. */
    mayLogIn: ({ context, event }) =>
      context.secure && event.type === 'offered' && chosenOf(context.mechanism, event.mechanisms) !== undefined,
    isForUs: ({ context, event }) => event.type === 'replied' && event.code === 334 && context.unsaid.length > 0,
    mayChallenge: ({ context, event }) =>
      event.type === 'replied' && event.code === 334 && context.challenges < mostChallenges,
    isSilent: ({ context }) => context.answer.outcome === 'silent',
    alone: ({ context }) => context.alone,
    gone: ({ context }) => context.gone,
    beginsMessage: ({ event }) => event.type === 'asked' && event.verb === 'data',
  },
  actions: {
    say: emit((_, what: Saying): SmtpProxyEffect => ({ type: 'say', what })),
    sayAsked: emit(({ event }): SmtpProxyEffect => ({
      type: 'say',
      what: event.type === 'asked' ? event.verb : 'noop',
    })),
    sayNext: emit(({ context }): SmtpProxyEffect => ({ type: 'say', what: context.unsaid[0] ?? 'answer' })),
    startTls: emit({ type: 'startTls' } satisfies SmtpProxyEffect as SmtpProxyEffect),
    authenticate: emit(({ context }): SmtpProxyEffect => ({ type: 'authenticate', mechanism: context.chosen })),
    tellLogin: emit(({ context }): SmtpProxyEffect => ({ type: 'loggedIn', mechanism: context.chosen })),
    tellRefusal: emit(({ event }): SmtpProxyEffect => ({
      type: 'loginRefused',
      code: event.type === 'replied' ? event.code : 0,
    })),
    pass: emit(({ event }): SmtpProxyEffect => ({ type: 'pass', code: event.type === 'replied' ? event.code : 0 })),
    passAnswer: emit(({ context }): SmtpProxyEffect => ({ type: 'pass', code: context.answer.code })),
    fail: emit((_, code: ErrorCode): SmtpProxyEffect => ({ type: 'fail', error: new GatewayError(code) })),
    failWith: emit((_, error: unknown): SmtpProxyEffect => ({ type: 'fail', error: asGatewayError(error) })),
    relay: emit({ type: 'relay' } satisfies SmtpProxyEffect as SmtpProxyEffect),
    endData: emit({ type: 'endData' } satisfies SmtpProxyEffect as SmtpProxyEffect),
    settle: emit(({ context }): SmtpProxyEffect => ({ type: 'settle', ...context.answer })),
    withdraw: emit(({ event }): SmtpProxyEffect => ({
      type: 'withdraw',
      code: event.type === 'replied' && isRefusal(event.code) ? event.code : 451,
    })),
    lose: emit({ type: 'lost' } satisfies SmtpProxyEffect as SmtpProxyEffect),
    end: emit((_, outcome: SessionOutcome): SmtpProxyEffect => ({ type: 'ended', outcome })),
    secured: assign({ secure: true }),
    choose: assign(({ context: { mechanism, initial }, event }) => {
      const chosen = (event.type === 'offered' ? chosenOf(mechanism, event.mechanisms) : undefined) ?? mechanism
      return { chosen, unsaid: unsaidOf(chosen, initial) }
    }),
    dropSaid: assign({ unsaid: ({ context }) => context.unsaid.slice(1) }),
    countChallenge: assign({ challenges: ({ context }) => context.challenges + 1 }),
    keepAnswer: assign(({ event }) =>
      event.type === 'replied'
        ? { answer: { outcome: isPositive(event.code) ? 'accepted' : 'refused', code: event.code } as const }
        : {},
    ),
    keepSilence: assign({ answer: { outcome: 'silent', code: 0 } as const }),
    leaveAlone: assign({ alone: true }),
    keepGone: assign({ gone: true }),
  },
})
