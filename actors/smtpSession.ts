import type { ErrorActorEvent } from 'xstate'
import type { SessionOutcome } from '../src/core/events.ts'
import type { ReplyName } from './smtpReplies.ts'
import { type Found, type RefusalKind, smtp } from './smtpSetup.ts'

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
export const smtpSession = smtp.createMachine({
  id: 'smtpSession',
  // Raised when what an earlier one wrote down would run differently; a test keeps transcripts of each.
  version: '1',
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
