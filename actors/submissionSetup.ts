import { assign, emit, enqueueActions, setup } from 'xstate'
import { answerTo, asGatewayError } from '../src/core/errors.ts'
import type { SessionOutcome } from '../src/core/events.ts'
import { type AskedVerb, type Extensions, noExtensions } from './proxiedSmtp.ts'
import type { PutOff } from '../src/core/putOff.ts'
import { putOffReplies, replyOf, type ReplyName, type SmtpReply, smtpReply } from './smtpReplies.ts'
import { idlesOn } from './smtpSetup.ts'
import type { SubmittedCredentials } from './submittedCredentials.ts'

export type SubmissionInput = {
  /** The gateway's own name in greetings. */
  readonly domain: string
  readonly secure: boolean
  /** The gateway has as many sessions as it may. */
  readonly crowded: boolean
  /** Octets of a message. */
  readonly maxSize: number
  readonly maxRecipients: number
  readonly maxBadCommands: number
  /** As in `SmtpInput`. */
  readonly maxIdleCommands?: number | undefined
}

export type Submitted = {
  readonly type: 'mail'
  /** Octets; 0 when the client did not say. */
  readonly size: number
  readonly eightBit: boolean
  readonly smtpUtf8: boolean
  /** Why no message may begin now. */
  readonly putOff?: PutOff | undefined
}

/** Commands of the client, what its proxy connection says, then what the shell sees. No name, address or octet is among them. */
export type SubmissionEvent =
  | { readonly type: 'hello'; readonly extended: boolean }
  | { readonly type: 'auth' | 'response'; readonly found: SubmittedCredentials }
  | Submitted
  | { readonly type: 'rcpt'; readonly ascii: boolean }
  | { readonly type: 'data' | 'rset' | 'noop' | 'vrfy' | 'help' | 'quit' | 'starttls' | 'unimplemented' | 'http' }
  /** It is not offered: what follows its line are not commands, and where they end is not looked for. */
  | { readonly type: 'bdat' }
  /** A command that cannot be what it should; `problem` is how it is answered. */
  | { readonly type: 'malformed'; readonly problem: ReplyName }
  /** The remote server's reply to what it was asked, or said, or sent. */
  | { readonly type: 'remote'; readonly code: number }
  /** Its reply to the login, with what it can do. */
  | { readonly type: 'welcomed'; readonly code: number; readonly extensions: Extensions }
  /** The proxy connection, or what it was asked, has come to nothing. */
  | { readonly type: 'failed'; readonly error: unknown }
  /** It is gone, between two commands. */
  | { readonly type: 'remoteLost' }
  /** TLS is active. */
  | { readonly type: 'secured' }
  /** Nothing was heard for the idle limit while the client's turn was. */
  | { readonly type: 'idle' }
  /** The client sends on and on: a line without end, or a message far beyond the limit. */
  | { readonly type: 'flooded'; readonly with: 'line' | 'message' }
  /** The connection is gone. */
  | { readonly type: 'closed' }
  /** The gateway stops: soon, or at once. */
  | { readonly type: 'shutdown'; readonly now: boolean }

export type SubmissionRefusal = 'auth' | 'bad-command' | 'too-many-sessions' | 'too-large' | 'relay' | PutOff

/** What the shell is to do; in order, and at once. */
export type SubmissionEffect =
  | ({ readonly type: 'reply' } & SmtpReply)
  /** Write the remote server's last reply as it is. */
  | { readonly type: 'pass'; readonly code: number }
  | { readonly type: 'refused'; readonly kind: SubmissionRefusal }
  /** The client's hello, MAIL or RCPT that was sent last is accepted: keep what it said. */
  | { readonly type: 'helloAccepted' | 'mailAccepted' | 'recipientAccepted' }
  | { readonly type: 'startTls' }
  /** Reach for the remote server with the credentials that were given last. */
  | { readonly type: 'connect' }
  /** The client's response is the remote server's. */
  | { readonly type: 'respond' }
  | { readonly type: 'ask'; readonly verb: AskedVerb }
  /** What the client sends next is a message. */
  | { readonly type: 'takeData' }
  /** A login or message has failed; the client has been told. */
  | { readonly type: 'failed'; readonly error: unknown }
  | { readonly type: 'ended'; readonly outcome: SessionOutcome }

/** Flags and counts. */
export type SubmissionContext = SubmissionInput & {
  readonly helloed: boolean
  readonly loggedIn: boolean
  readonly extensions: Extensions
  readonly mailed: boolean
  readonly smtpUtf8: boolean
  /** Of the MAIL that the remote server is asked. */
  readonly wantsSmtpUtf8: boolean
  readonly recipients: number
  /** Why the last MAIL was not passed on. */
  readonly turnedDown: PutOff | 'otherwise' | undefined
  /** The remote server has refused DATA: whether it still has the transaction, its next replies say. */
  readonly doubtful: boolean
  readonly badCommands: number
  readonly idleCommands: number
  readonly refusedLogins: number
  readonly draining: boolean
}

export const noTransaction = {
  mailed: false,
  smtpUtf8: false,
  recipients: 0,
  turnedDown: undefined,
  doubtful: false,
} as const

/** Refused logins of one connection, after which it is closed. */
const loginAttempts = 3

const isPositive = (code: number) => code >= 200 && code < 300

/** The lesser of the two; RFC 1870 §4: 0 says that there is no fixed limit. */
const sizeOf = ({ maxSize, extensions: { size } }: SubmissionContext) =>
  size === undefined || size === 0 ? maxSize : Math.min(maxSize, size)

/** RFC 5321 §4.1.1.1. Before the login what every server can do, after it what both can; AUTH never before TLS. */
const offers = (context: SubmissionContext) => {
  const { secure, loggedIn, extensions } = context
  const known = loggedIn ? extensions : { ...noExtensions, eightBit: true }
  return [
    'PIPELINING',
    `SIZE ${sizeOf(context)}`,
    ...(secure ? [] : ['STARTTLS']),
    ...(secure && !loggedIn ? ['AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER'] : []),
    ...(known.eightBit ? ['8BITMIME'] : []),
    ...(known.smtpUtf8 ? ['SMTPUTF8'] : []),
    ...(known.dsn ? ['DSN'] : []),
    'ENHANCEDSTATUSCODES',
  ]
}

const failure = (error: unknown): SubmissionEffect => {
  const { code, message } = asGatewayError(error)
  const { smtp } = answerTo(code)
  return replyOf(smtp[0], smtp[1], message)
}

const putOffOf = ({ turnedDown }: SubmissionContext): PutOff =>
  turnedDown === undefined || turnedDown === 'otherwise' ? 'log-lag' : turnedDown

export const submission = setup({
  types: {
    context: {} as SubmissionContext,
    input: {} as SubmissionInput,
    events: {} as SubmissionEvent,
    emitted: {} as SubmissionEffect,
    tags: {} as 'ready' | 'response',
  },
  guards: {
    crowded: ({ context }) => context.crowded,
    draining: ({ context }) => context.draining,
    plain: ({ context }) => !context.secure,
    strange: ({ context }) => !context.helloed,
    loggedIn: ({ context }) => context.loggedIn,
    mailed: ({ context }) => context.mailed,
    addressed: ({ context }) => context.recipients > 0,
    certain: ({ context }) => !context.doubtful,
    /** Nothing that belongs to a login is taken before TLS, whatever the shell says it has found. */
    found: ({ context, event }, what: SubmittedCredentials) =>
      context.secure && 'found' in event && event.found === what,
    tooManyBad: ({ context }) => context.badCommands > context.maxBadCommands,
    lastAttempt: ({ context }) => context.refusedLogins + 1 >= loginAttempts,
    tooLarge: ({ context, event }) => event.type === 'mail' && event.size > sizeOf(context),
    putOff: ({ event }) => event.type === 'mail' && event.putOff !== undefined,
    wasPutOff: ({ context: { turnedDown } }) => turnedDown !== undefined && turnedDown !== 'otherwise',
    wasTurnedDown: ({ context }) => context.turnedDown !== undefined,
    lacksEightBit: ({ context, event }) => event.type === 'mail' && event.eightBit && !context.extensions.eightBit,
    lacksSmtpUtf8: ({ context, event }) => event.type === 'mail' && event.smtpUtf8 && !context.extensions.smtpUtf8,
    needsSmtpUtf8: ({ context, event }) => event.type === 'rcpt' && !event.ascii && !context.smtpUtf8,
    tooManyRecipients: ({ context }) => context.recipients >= context.maxRecipients,
    positive: ({ event }) => event.type === 'remote' && isPositive(event.code),
    code: ({ event }, code: number) => event.type === 'remote' && event.code === code,
    endsSession: ({ event }) => event.type === 'failed' && answerTo(asGatewayError(event.error).code).smtp[0] === 421,
    now: ({ event }) => event.type === 'shutdown' && event.now,
    byMessage: ({ event }) => event.type === 'flooded' && event.with === 'message',
  },
  actions: {
    greet: emit(({ context }) => replyOf(220, '', `${context.domain} ESMTP Sealpost`)),
    welcome: emit(({ context, event }) =>
      event.type === 'hello' && !event.extended
        ? replyOf(250, '', context.domain)
        : replyOf(250, '', context.domain, ...offers(context)),
    ),
    reply: emit((_, name: ReplyName): SubmissionEffect => ({ type: 'reply', ...smtpReply(name) })),
    replyProblem: emit(({ event }): SubmissionEffect => ({
      type: 'reply',
      ...smtpReply(event.type === 'malformed' ? event.problem : 'internal'),
    })),
    refuse: emit((_, kind: SubmissionRefusal): SubmissionEffect => ({ type: 'refused', kind })),
    refusePutOff: emit(({ context }): SubmissionEffect => ({ type: 'refused', kind: putOffOf(context) })),
    replyPutOff: emit(({ context }): SubmissionEffect => ({
      type: 'reply',
      ...smtpReply(putOffReplies[putOffOf(context)]),
    })),
    pass: emit(({ event }): SubmissionEffect => ({ type: 'pass', code: 'code' in event ? event.code : 0 })),
    answerFailure: emit(({ event }) => failure('error' in event ? event.error : undefined)),
    report: emit(({ event }): SubmissionEffect => ({
      type: 'failed',
      error: 'error' in event ? event.error : undefined,
    })),
    ask: emit((_, verb: AskedVerb): SubmissionEffect => ({ type: 'ask', verb })),
    connect: emit({ type: 'connect' } satisfies SubmissionEffect as SubmissionEffect),
    respond: emit({ type: 'respond' } satisfies SubmissionEffect as SubmissionEffect),
    takeData: emit({ type: 'takeData' } satisfies SubmissionEffect as SubmissionEffect),
    startTls: emit({ type: 'startTls' } satisfies SubmissionEffect as SubmissionEffect),
    keepHello: emit({ type: 'helloAccepted' } satisfies SubmissionEffect as SubmissionEffect),
    keepMail: emit({ type: 'mailAccepted' } satisfies SubmissionEffect as SubmissionEffect),
    keepRecipient: emit({ type: 'recipientAccepted' } satisfies SubmissionEffect as SubmissionEffect),
    hear: assign({ helloed: true, turnedDown: undefined }),
    secured: assign({ secure: true, helloed: false }),
    logIn: assign(({ event }) =>
      event.type === 'welcomed' ? { loggedIn: true, extensions: event.extensions, badCommands: 0 } : {},
    ),
    begin: assign(({ event }) =>
      event.type === 'mail' ? { wantsSmtpUtf8: event.smtpUtf8, turnedDown: undefined } : {},
    ),
    turnDown: assign(({ event }, as: 'putOff' | 'otherwise') => ({
      turnedDown: as === 'putOff' && event.type === 'mail' ? event.putOff : 'otherwise',
    })),
    mailed: assign({ ...noTransaction, mailed: true, smtpUtf8: ({ context }) => context.wantsSmtpUtf8 }),
    doubt: assign({ doubtful: true }),
    addRecipient: assign({ recipients: ({ context }) => context.recipients + 1 }),
    reset: assign(noTransaction),
    countIdle: enqueueActions(({ context, enqueue }) => {
      enqueue.assign({ idleCommands: context.idleCommands + 1 })
      if (!idlesOn(context)) return
      enqueue.assign({ badCommands: context.badCommands + 1 })
      enqueue.emit({ type: 'refused', kind: 'bad-command' })
    }),
    countBad: assign({ badCommands: ({ context }) => context.badCommands + 1 }),
    countAttempt: assign({ refusedLogins: ({ context }) => context.refusedLogins + 1 }),
    forgive: assign({ badCommands: 0, idleCommands: 0 }),
    drain: assign({ draining: true }),
    end: emit((_, outcome: SessionOutcome): SubmissionEffect => ({ type: 'ended', outcome })),
  },
})
