import { assign, emit, type ErrorActorEvent, setup } from 'xstate'
import type { SessionOutcome } from '../src/core/events.ts'
import { answerTo, asGatewayError } from '../src/core/errors.ts'
import type { MailboxId, MessageId, SessionId } from '../src/core/ids.ts'
import { unwired, work } from './session.ts'
import { type ReplyName, type SmtpReply, smtpReply } from './smtpReplies.ts'

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
}

/** Who a recipient is, as far as the session needs to know. */
export type Found =
  | { readonly is: 'mailbox' | 'suspended'; readonly mailboxId: MailboxId }
  | { readonly is: 'unknown' | 'relay' | 'noPostmaster' | 'unavailable' }

type Mail = { readonly type: 'mail'; readonly size: number; readonly smtpUtf8: boolean }
type Recipient = { readonly type: 'rcpt'; readonly found: Found; readonly ascii: boolean }

/** Commands of the peer, then what the shell sees. No address, name, credential or octet of a message is among them. */
export type SmtpEvent =
  | { readonly type: 'hello'; readonly extended: boolean }
  | Mail
  | Recipient
  | {
      readonly type:
        'data' | 'rset' | 'noop' | 'vrfy' | 'help' | 'quit' | 'starttls' | 'auth' | 'unimplemented' | 'http'
    }
  /** A command that cannot be what it should; `problem` is how it is answered. */
  | { readonly type: 'malformed'; readonly problem: ReplyName }
  /** TLS is active. */
  | { readonly type: 'secured' }
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
  readonly smtpUtf8: boolean
  readonly mailboxId: MailboxId | undefined
  readonly recipients: number
  readonly badCommands: number
  readonly draining: boolean
}

export type ReceiveInput = {
  readonly sessionId: SessionId
  readonly mailboxId: MailboxId | undefined
  readonly smtpUtf8: boolean
}

const line = (code: number, enhanced: string, ...lines: readonly string[]): SmtpEffect => ({
  type: 'reply',
  code,
  enhanced,
  lines,
})

/** RFC 5321 §4.1.1.1. What is not listed is not offered. */
const extensions = ({ secure, maxSize }: SmtpContext) => [
  'PIPELINING',
  `SIZE ${maxSize}`,
  ...(secure ? [] : ['STARTTLS']),
  '8BITMIME',
  'SMTPUTF8',
  'ENHANCEDSTATUSCODES',
]

const failure = (error: unknown): SmtpEffect => {
  const { smtp, text } = answerTo(asGatewayError(error).code)
  return line(smtp[0], smtp[1], text)
}

/** How a recipient is refused; a mailbox is not, except where no recipient is expected. */
const strangers = {
  mailbox: { kind: 'bad-command', reply: 'badSequence' },
  suspended: { kind: 'suspended', reply: 'suspended' },
  unknown: { kind: 'unknown-recipient', reply: 'unknownRecipient' },
  relay: { kind: 'relay', reply: 'relayRefused' },
  noPostmaster: { kind: 'unknown-recipient', reply: 'noPostmaster' },
  unavailable: { kind: 'unavailable', reply: 'recipientUnavailable' },
} as const satisfies Record<Found['is'], { readonly kind: RefusalKind; readonly reply: ReplyName }>

const errorOf = ({ event }: { readonly event: ErrorActorEvent }) => event.error
const failed = [
  { type: 'answerFailure' as const, params: errorOf },
  { type: 'fail' as const, params: errorOf },
]
const reply = (params: ReplyName) => ({ type: 'reply' as const, params })
const refuse = (params: RefusalKind) => ({ type: 'refuse' as const, params })
const end = (params: SessionOutcome) => ({ type: 'end' as const, params })

/** A command that makes no sense: counted, answered, and too many of them end the session. */
const nonsense = (name: ReplyName, kind: RefusalKind = 'bad-command') => ({
  actions: [{ type: 'countBad' as const }, refuse(kind), reply(name)],
})
const ending = (name: ReplyName, outcome: SessionOutcome) => ({
  target: '#smtpSession.ended' as const,
  actions: [reply(name), end(outcome)],
})

/** One SMTP connection of a journal sender (RFC 5321): one mailbox per transaction, never a relay. */
export const smtpSession = setup({
  types: {
    context: {} as SmtpContext,
    input: {} as SmtpInput,
    events: {} as SmtpEvent,
    emitted: {} as SmtpEffect,
    tags: {} as 'ready',
  },
  actors: {
    /** Takes the message from DATA to its durable record. Settles only when the end of the data has been read. */
    receive: work<{ readonly messageId: MessageId }, ReceiveInput>(unwired),
  },
  guards: {
    crowded: ({ context }) => context.crowded,
    draining: ({ context }) => context.draining,
    secure: ({ context }) => context.secure,
    tooManyBad: ({ context }) => context.badCommands > context.maxBadCommands,
    tooLarge: ({ context }, size: number) => size > context.maxSize,
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
    greet: emit(({ context }) => line(220, '', `${context.domain} ESMTP Sealpost`)),
    welcome: emit(({ context }, extended: boolean) =>
      extended ? line(250, '', context.domain, ...extensions(context)) : line(250, '', context.domain),
    ),
    reply: emit((_, name: ReplyName): SmtpEffect => ({ type: 'reply', ...smtpReply(name) })),
    refuse: emit((_, kind: RefusalKind): SmtpEffect => ({ type: 'refused', kind })),
    acknowledge: emit((_, messageId: MessageId) => line(250, '2.6.0', `${messageId} sealed and recorded`)),
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
    reset: assign({ mailboxId: undefined, recipients: 0, smtpUtf8: false }),
    secured: assign({ secure: true }),
    countBad: assign({ badCommands: ({ context }) => context.badCommands + 1 }),
    forgive: assign({ badCommands: 0 }),
    drain: assign({ draining: true }),
    end: emit((_, outcome: SessionOutcome): SmtpEffect => ({ type: 'ended', outcome })),
  },
}).createMachine({
  id: 'smtpSession',
  context: ({ input }) => ({
    ...input,
    smtpUtf8: false,
    mailboxId: undefined,
    recipients: 0,
    badCommands: 0,
    draining: false,
  }),
  initial: 'arriving',
  on: {
    closed: { target: '.ended', actions: end('lost') },
    idle: ending('timedOut', 'timeout'),
    shutdown: [
      { guard: { type: 'now', params: ({ event }) => event.now }, ...ending('shuttingDown', 'shutdown') },
      { actions: 'drain' },
    ],
    flooded: [
      { guard: { type: 'byMessage', params: ({ event }) => event.with }, ...ending('tooLarge', 'refused') },
      ending('tooManyBad', 'refused'),
    ],
    '*': nonsense('badSequence'),
  },
  states: {
    arriving: {
      always: [
        {
          guard: 'crowded',
          target: 'ended',
          actions: [refuse('too-many-sessions'), reply('tooManySessions'), end('refused')],
        },
        { target: 'open', actions: 'greet' },
      ],
    },
    open: {
      description: 'The peer may send its next command.',
      tags: 'ready',
      initial: 'greeted',
      always: { guard: 'tooManyBad', ...ending('tooManyBad', 'refused') },
      on: {
        noop: { actions: reply('ok') },
        help: { actions: reply('help') },
        vrfy: { actions: reply('notVerified') },
        quit: ending('bye', 'quit'),
        hello: {
          target: '.helloed',
          actions: ['keepHello', { type: 'welcome', params: ({ event }) => event.extended }],
        },
        auth: nonsense('noAuth', 'auth'),
        unimplemented: nonsense('notImplemented'),
        http: ending('notHttp', 'refused'),
        malformed: {
          actions: ['countBad', refuse('bad-command'), { type: 'reply', params: ({ event }) => event.problem }],
        },
      },
      states: {
        greeted: {
          always: { guard: 'draining', ...ending('shuttingDown', 'shutdown') },
          on: {
            rset: { actions: reply('ok') },
            starttls: [
              { guard: 'secure', ...nonsense('tlsActive') },
              { target: '#smtpSession.securing', actions: reply('readyForTls') },
            ],
            mail: nonsense('helloFirst'),
            rcpt: nonsense('helloFirst'),
            data: nonsense('helloFirst'),
          },
        },
        helloed: {
          description: 'No transaction is open.',
          entry: 'reset',
          always: { guard: 'draining', ...ending('shuttingDown', 'shutdown') },
          on: {
            rset: { actions: reply('ok') },
            starttls: [
              { guard: 'secure', ...nonsense('tlsActive') },
              { target: '#smtpSession.securing', actions: reply('readyForTls') },
            ],
            mail: [
              {
                guard: { type: 'tooLarge', params: ({ event }) => event.size },
                actions: [refuse('too-large'), reply('tooLarge')],
              },
              {
                target: 'transaction',
                actions: [{ type: 'begin', params: ({ event }) => event.smtpUtf8 }, 'keepMail', reply('senderOk')],
              },
            ],
            rcpt: nonsense('mailFirst'),
            data: nonsense('mailFirst'),
          },
        },
        transaction: {
          initial: 'mailed',
          on: {
            rset: { target: 'helloed', actions: reply('ok') },
            rcpt: [
              {
                guard: { type: 'needsSmtpUtf8', params: ({ event }) => event.ascii },
                actions: reply('needsSmtpUtf8'),
              },
              {
                actions: [
                  { type: 'refuse', params: ({ event }) => strangers[event.found.is].kind },
                  { type: 'reply', params: ({ event }) => strangers[event.found.is].reply },
                ],
              },
            ],
          },
          states: {
            mailed: {
              description: 'The reverse-path is known, no recipient yet.',
              on: {
                rcpt: {
                  guard: { type: 'deliverable', params: ({ event }) => event },
                  target: 'addressed',
                  actions: [
                    { type: 'addRecipient', params: ({ event }) => event.found },
                    'keepRecipient',
                    reply('recipientOk'),
                  ],
                },
                // A pipelining peer sends DATA before it knows that its recipients were refused (RFC 2920 §3.1).
                data: { actions: reply('recipientFirst') },
              },
            },
            addressed: {
              description: 'One mailbox is the recipient.',
              on: {
                rcpt: [
                  { guard: 'tooManyRecipients', actions: reply('tooManyRecipients') },
                  { guard: { type: 'otherMailbox', params: ({ event }) => event }, actions: reply('oneMailbox') },
                  {
                    guard: { type: 'deliverable', params: ({ event }) => event },
                    actions: [
                      { type: 'addRecipient', params: ({ event }) => event.found },
                      'keepRecipient',
                      reply('recipientOk'),
                    ],
                  },
                ],
                data: { target: '#smtpSession.receiving', actions: reply('sendData') },
              },
            },
          },
        },
      },
    },
    securing: {
      description: 'The TLS handshake runs.',
      entry: 'startTls',
      on: { secured: { target: 'open.greeted', actions: 'secured' } },
    },
    receiving: {
      description: 'The message is on its way into the vault and the log.',
      invoke: {
        id: 'receive',
        src: 'receive',
        input: ({ context: { sessionId, mailboxId, smtpUtf8 } }) => ({ sessionId, mailboxId, smtpUtf8 }),
        onDone: {
          target: 'open.helloed',
          actions: ['forgive', { type: 'acknowledge', params: ({ event }) => event.output.messageId }],
        },
        onError: [
          {
            guard: { type: 'endsSession', params: errorOf },
            target: 'ended',
            actions: [...failed, end('failed')],
          },
          { target: 'open.helloed', actions: failed },
        ],
      },
    },
    ended: { type: 'final' },
  },
})
