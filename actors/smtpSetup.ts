import { assign, emit, enqueueActions, setup } from 'xstate'
import type { SessionOutcome } from '../src/core/events.ts'
import { answerTo, asGatewayError } from '../src/core/errors.ts'
import type { MailboxId, MessageId, SenderId, SessionId } from '../src/core/ids.ts'
import type { Demand, Proof } from '../src/core/senderPolicy.ts'
import { type Lack, replyToLack } from './senderDemands.ts'
import { unwired, work } from './session.ts'
import type { PutOff } from '../src/core/putOff.ts'
import { putOffReplies, replyOf, type ReplyName, type SmtpReply, smtpReply } from './smtpReplies.ts'
import type { SubmittedCredentials } from './submittedCredentials.ts'

export type SmtpInput = {
  readonly sessionId: SessionId
  /** The gateway's own name in greetings. */
  readonly domain: string
  readonly secure: boolean
  /** The gateway has as many sessions as it may. */
  readonly crowded: boolean
  /** Octets of a message. */
  readonly maxSize: number
  readonly maxRecipients: number
  readonly maxBadCommands: number
  /** Commands for their own sake before a message has come; further ones count as such that make no sense. */
  readonly maxIdleCommands?: number | undefined
  /** Somebody could authenticate himself. */
  readonly offersAuth?: boolean
  /** What the listener asks of every sender, and what this one has shown of it so far. */
  readonly demand?: Demand | undefined
  readonly shown?: readonly Proof[]
}

/** Who a recipient is, as far as the session needs to know. */
export type Found =
  | { readonly is: 'mailbox' | 'suspended'; readonly mailboxId: MailboxId }
  | { readonly is: 'unknown' | 'relay' | 'noPostmaster' | 'unavailable' }

type Mail = {
  readonly type: 'mail'
  readonly size: number
  readonly smtpUtf8: boolean
  /** Why no message may begin now. */
  readonly putOff?: PutOff | undefined
}
/** A piece of a message (RFC 3030 §2): told when it is announced, or where none is taken (no tag `chunks`) when it has gone by. */
export type Chunk = { readonly type: 'bdat'; readonly size: number; readonly last: boolean }
export type Recipient = {
  readonly type: 'rcpt'
  readonly found: Found
  readonly ascii: boolean
  /** What the mailbox asks of its senders, and what this one has shown of it; `token`: one that is for this mailbox. */
  readonly demand?: Demand | undefined
  readonly shown?: readonly Proof[]
}

/** Commands of the peer, then what the shell sees. No address, name, credential or octet of a message is among them. */
export type SmtpEvent =
  | { readonly type: 'hello'; readonly extended: boolean }
  | Mail
  | Recipient
  | Chunk
  | {
      readonly type: 'data' | 'rset' | 'noop' | 'vrfy' | 'help' | 'quit' | 'starttls' | 'unimplemented' | 'http'
    }
  /** AUTH, and a line upon a challenge. */
  | { readonly type: 'auth' | 'response'; readonly found: SubmittedCredentials }
  /** A command that cannot be what it should; `problem` is how it is answered. */
  | { readonly type: 'malformed'; readonly problem: ReplyName }
  /** BDAT without a size: where its chunk ends, nobody knows. */
  | { readonly type: 'sizeless' }
  /** All octets of the chunk that was announced last have come. */
  | { readonly type: 'chunkRead' }
  /** TLS is active, with a client certificate that the listener accepts or without. */
  | { readonly type: 'secured'; readonly certificate?: boolean }
  /** Nothing was heard for the idle limit while the peer's turn was. */
  | { readonly type: 'idle' }
  /** The peer sends on and on: a line without end, or a message far beyond the limit. */
  | { readonly type: 'flooded'; readonly with: 'line' | 'message' }
  /** The connection is gone. */
  | { readonly type: 'closed' }
  /** The gateway stops: soon, or at once. */
  | { readonly type: 'shutdown'; readonly now: boolean }

export type RefusalKind =
  | 'unknown-recipient'
  | 'relay'
  | 'suspended'
  | 'unavailable'
  | 'auth'
  | 'bad-command'
  | 'too-many-sessions'
  | 'too-large'
  | PutOff
  | `policy-${Proof}`

/** What the shell is to do; in order, and at once. */
export type SmtpEffect =
  | ({ readonly type: 'reply' } & SmtpReply)
  | { readonly type: 'refused'; readonly kind: RefusalKind }
  /** The peer's hello, MAIL or RCPT that was sent last is accepted: keep what it said. */
  | { readonly type: 'helloAccepted' | 'mailAccepted' | 'recipientAccepted' }
  | { readonly type: 'startTls' }
  /** A message could not be received; its peer has been told. */
  | { readonly type: 'failed'; readonly error: unknown }
  | { readonly type: 'ended'; readonly outcome: SessionOutcome }

/** References, flags and counts. */
export type SmtpContext = SmtpInput & {
  readonly offersAuth: boolean
  readonly shown: readonly Proof[]
  /** Whose token was shown. */
  readonly sender: SenderId | undefined
  readonly refusedLogins: number
  readonly smtpUtf8: boolean
  readonly mailboxId: MailboxId | undefined
  readonly recipients: number
  /** Octets of the chunks that were announced. */
  readonly announced: number
  /** Why the last MAIL was put off; what was sent on its heels (RFC 2920) is put off with it. */
  readonly putOff: PutOff | undefined
  readonly badCommands: number
  readonly idleCommands: number
  readonly draining: boolean
}

export type ReceiveInput = {
  readonly sessionId: SessionId
  readonly mailboxId: MailboxId | undefined
  readonly smtpUtf8: boolean
}

/** RFC 5321 §4.1.1.1. What is not listed is not offered. */
const extensions = ({ secure, maxSize, offersAuth, sender }: SmtpContext) => [
  'PIPELINING',
  `SIZE ${maxSize}`,
  ...(secure ? [] : ['STARTTLS']),
  // RFC 4954 §4: never in clear, and once.
  ...(offersAuth && secure && sender === undefined ? ['AUTH PLAIN LOGIN'] : []),
  '8BITMIME',
  'SMTPUTF8',
  'CHUNKING',
  'ENHANCEDSTATUSCODES',
]

/** One more command that is about no message is one too many: whoever goes on with them only holds a place. */
export const idlesOn = ({
  idleCommands,
  maxIdleCommands = Infinity,
}: Pick<SmtpContext, 'idleCommands' | 'maxIdleCommands'>) => idleCommands >= maxIdleCommands

/** Logins that may be refused to one session. */
const loginAttempts = 3

const failure = (error: unknown): SmtpEffect => {
  const { smtp, text } = answerTo(asGatewayError(error).code)
  return replyOf(smtp[0], smtp[1], text)
}

export const smtp = setup({
  types: {
    context: {} as SmtpContext,
    input: {} as SmtpInput,
    events: {} as SmtpEvent,
    emitted: {} as SmtpEffect,
    tags: {} as 'ready' | 'chunks' | 'response',
  },
  actors: {
    /**
     * Takes the message from DATA or its first BDAT to its durable record. Settles only when the end of the data has been read.
     */
    receive: work<{ readonly messageId: MessageId }, ReceiveInput>(unwired),
    /** Says whose token was given with AUTH. */
    authenticate: work<{ readonly sender: SenderId }, { readonly sessionId: SessionId }>(unwired),
  },
  guards: {
    crowded: ({ context }) => context.crowded,
    draining: ({ context }) => context.draining,
    secure: ({ context }) => context.secure,
    plain: ({ context }) => !context.secure,
    noAuth: ({ context }) => !context.offersAuth,
    known: ({ context }) => context.sender !== undefined,
    /** Nothing that belongs to a login is taken before TLS or twice, whatever the shell says it has found. */
    found: ({ context, event }, what: SubmittedCredentials) =>
      context.secure && context.sender === undefined && 'found' in event && event.found === what,
    lastAttempt: ({ context }) => context.refusedLogins + 1 >= loginAttempts,
    lacks: (_, lack: Lack | undefined) => lack !== undefined,
    tooManyBad: ({ context }) => context.badCommands > context.maxBadCommands,
    tooLarge: ({ context }, size: number) => size > context.maxSize,
    putOff: (_, why: PutOff | undefined) => why !== undefined,
    wasPutOff: ({ context }) => context.putOff !== undefined,
    outgrows: ({ context }, { size }: Chunk) => context.announced + size > context.maxSize,
    outgrowsAtLast: ({ context }, { size, last }: Chunk) => last && context.announced + size > context.maxSize,
    isLast: (_, { last }: Chunk) => last,
    needsSmtpUtf8: ({ context }, ascii: boolean) => !ascii && !context.smtpUtf8,
    deliverable: ({ context }, { found, ascii }: Recipient) => found.is === 'mailbox' && (ascii || context.smtpUtf8),
    otherMailbox: ({ context }, { found, ascii }: Recipient) =>
      found.is === 'mailbox' && (ascii || context.smtpUtf8) && found.mailboxId !== context.mailboxId,
    tooManyRecipients: ({ context }) => context.recipients >= context.maxRecipients,
    endsSession: (_, error: unknown) => answerTo(asGatewayError(error).code).smtp[0] === 421,
    now: (_, now: boolean) => now,
    byMessage: (_, flood: 'line' | 'message') => flood === 'message',
  },
  actions: {
    greet: emit(({ context }) => replyOf(220, '', `${context.domain} ESMTP Sealpost`)),
    welcome: emit(({ context }, extended: boolean) =>
      extended ? replyOf(250, '', context.domain, ...extensions(context)) : replyOf(250, '', context.domain),
    ),
    refuseLack: emit((_, lack: Lack | undefined): SmtpEffect => ({
      type: 'refused',
      kind: `policy-${lack?.proof ?? 'network'}`,
    })),
    replyToLack: emit((_, lack: Lack | undefined): SmtpEffect => ({
      type: 'reply',
      ...smtpReply(lack ? replyToLack(lack) : 'internal'),
    })),
    reply: emit((_, name: ReplyName): SmtpEffect => ({ type: 'reply', ...smtpReply(name) })),
    refuse: emit((_, kind: RefusalKind): SmtpEffect => ({ type: 'refused', kind })),
    putOff: assign((_, putOff: PutOff | undefined) => ({ putOff })),
    refusePutOff: emit(({ context: { putOff = 'log-lag' } }): SmtpEffect => ({ type: 'refused', kind: putOff })),
    replyPutOff: emit(({ context: { putOff = 'log-lag' } }): SmtpEffect => ({
      type: 'reply',
      ...smtpReply(putOffReplies[putOff]),
    })),
    acknowledge: emit((_, messageId: MessageId) => replyOf(250, '2.6.0', `${messageId} sealed and recorded`)),
    answerFailure: emit((_, error: unknown) => failure(error)),
    fail: emit((_, error: unknown): SmtpEffect => ({ type: 'failed', error })),
    keepHello: emit({ type: 'helloAccepted' } satisfies SmtpEffect as SmtpEffect),
    keepMail: emit({ type: 'mailAccepted' } satisfies SmtpEffect as SmtpEffect),
    keepRecipient: emit({ type: 'recipientAccepted' } satisfies SmtpEffect as SmtpEffect),
    startTls: emit({ type: 'startTls' } satisfies SmtpEffect as SmtpEffect),
    begin: assign((_, smtpUtf8: boolean) => ({ smtpUtf8 })),
    addRecipient: assign(({ context }, found: Found) => ({
      mailboxId: 'mailboxId' in found ? found.mailboxId : undefined,
      recipients: context.recipients + 1,
    })),
    announce: assign(({ context }, { size }: Chunk) => ({ announced: context.announced + size })),
    reset: assign({ mailboxId: undefined, recipients: 0, announced: 0, smtpUtf8: false, putOff: undefined }),
    secured: assign(({ context, event }) => ({
      secure: true,
      shown:
        event.type === 'secured' && event.certificate === true
          ? [...context.shown, 'certificate' as const]
          : context.shown,
    })),
    know: assign((_, sender: SenderId) => ({ sender, badCommands: 0 })),
    countAttempt: assign({ refusedLogins: ({ context }) => context.refusedLogins + 1 }),
    countIdle: enqueueActions(({ context, enqueue }) => {
      enqueue.assign({ idleCommands: context.idleCommands + 1 })
      if (!idlesOn(context)) return
      enqueue.assign({ badCommands: context.badCommands + 1 })
      enqueue.emit({ type: 'refused', kind: 'bad-command' })
    }),
    countBad: assign({ badCommands: ({ context }) => context.badCommands + 1 }),
    forgive: assign({ badCommands: 0, idleCommands: 0 }),
    drain: assign({ draining: true }),
    end: emit((_, outcome: SessionOutcome): SmtpEffect => ({ type: 'ended', outcome })),
  },
})
