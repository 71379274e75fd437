import type { ReplyName } from './smtpReplies.ts'
import { type Found, type RefusalKind, smtp } from './smtpSetup.ts'
import { chunk, chunkingStates } from './smtpChunking.ts'
import { auth, authenticationStates } from './smtpAuthentication.ts'
import {
  anytime,
  authOnly,
  end,
  ending,
  lacking,
  lackingHere,
  nonsense,
  receive,
  refuse,
  reply,
  tooManyBad,
} from './smtpTransitions.ts'

/** How a recipient is refused; a mailbox is not, except where no recipient is expected. */
const strangers = {
  mailbox: { kind: 'bad-command', reply: 'badSequence' },
  suspended: { kind: 'suspended', reply: 'suspended' },
  unknown: { kind: 'unknown-recipient', reply: 'unknownRecipient' },
  relay: { kind: 'relay', reply: 'relayRefused' },
  noPostmaster: { kind: 'unknown-recipient', reply: 'noPostmaster' },
  unavailable: { kind: 'unavailable', reply: 'recipientUnavailable' },
} as const satisfies Record<Found['is'], { readonly kind: RefusalKind; readonly reply: ReplyName }>

/** What comes without a MAIL that was accepted. */
const withoutMail = [{ guard: 'wasPutOff', actions: 'replyPutOff' }, nonsense('mailFirst')] as const

/** One SMTP connection of a journal sender (RFC 5321): one mailbox per transaction, never a relay. */
export const smtpSession = smtp.createMachine({
  id: 'smtpSession',
  // Raised when what an earlier one wrote down would run differently; a test keeps transcripts of each.
  version: '1',
  context: ({ input }) => ({
    ...input,
    offersAuth: input.offersAuth === true,
    shown: input.shown ?? [],
    sender: undefined,
    refusedLogins: 0,
    smtpUtf8: false,
    mailboxId: undefined,
    recipients: 0,
    announced: 0,
    putOff: undefined,
    badCommands: 0,
    idleCommands: 0,
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
      always: tooManyBad,
      on: {
        ...anytime,
      },
      states: {
        greeted: {
          always: { guard: 'draining', ...ending('shuttingDown', 'shutdown') },
          on: {
            rset: { actions: ['countIdle', reply('ok')] },
            starttls: [
              { guard: 'secure', ...nonsense('tlsActive') },
              { target: '#smtpSession.securing', actions: reply('readyForTls') },
            ],
            auth: authOnly('helloFirst'),
            mail: nonsense('helloFirst'),
            rcpt: nonsense('helloFirst'),
            data: nonsense('helloFirst'),
            bdat: nonsense('helloFirst'),
          },
        },
        helloed: {
          description: 'No transaction is open.',
          entry: 'reset',
          always: { guard: 'draining', ...ending('shuttingDown', 'shutdown') },
          on: {
            rset: { actions: ['countIdle', 'reset', reply('ok')] },
            starttls: [
              { guard: 'secure', ...nonsense('tlsActive') },
              { target: '#smtpSession.securing', actions: reply('readyForTls') },
            ],
            auth,
            mail: [
              lacking,
              {
                guard: { type: 'tooLarge', params: ({ event }) => event.size },
                actions: ['reset', refuse('too-large'), reply('tooLarge')],
              },
              {
                guard: { type: 'putOff', params: ({ event }) => event.putOff },
                actions: [{ type: 'putOff', params: ({ event }) => event.putOff }, 'refusePutOff', 'replyPutOff'],
              },
              {
                target: 'transaction',
                actions: [{ type: 'begin', params: ({ event }) => event.smtpUtf8 }, 'keepMail', reply('senderOk')],
              },
            ],
            rcpt: withoutMail,
            data: withoutMail,
            bdat: withoutMail,
          },
        },
        transaction: {
          initial: 'mailed',
          on: {
            rset: { target: 'helloed', actions: ['countIdle', reply('ok')] },
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
                rcpt: [
                  lackingHere,
                  {
                    guard: { type: 'deliverable', params: ({ event }) => event },
                    target: 'addressed',
                    actions: [
                      { type: 'addRecipient', params: ({ event }) => event.found },
                      'keepRecipient',
                      reply('recipientOk'),
                    ],
                  },
                ],
                // A pipelining peer sends DATA before it knows that its recipients were refused (RFC 2920 §3.1).
                data: { actions: reply('recipientFirst') },
                bdat: [
                  { guard: { type: 'isLast', params: ({ event }) => event }, actions: reply('recipientFirst') },
                  { target: 'spoilt', actions: reply('recipientFirst') },
                ],
              },
            },
            addressed: {
              description: 'One mailbox is the recipient.',
              tags: 'chunks',
              on: {
                rcpt: [
                  { guard: 'tooManyRecipients', actions: reply('tooManyRecipients') },
                  lackingHere,
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
                bdat: chunk,
              },
            },
            spoilt: {
              description: 'A chunk was refused: what follows it would be a message that is not whole.',
              // A pipelining peer sends more of them before it knows.
              on: {
                bdat: [
                  {
                    guard: { type: 'isLast', params: ({ event }) => event },
                    target: '#smtpSession.open.helloed',
                    actions: reply('spoilt'),
                  },
                  { actions: reply('spoilt') },
                ],
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
      invoke: receive,
    },
    ...authenticationStates,
    ...chunkingStates,
    ended: { type: 'final' },
  },
})
