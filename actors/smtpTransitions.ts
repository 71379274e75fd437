import type { DoneActorEvent, ErrorActorEvent } from 'xstate'
import type { SessionOutcome } from '../src/core/events.ts'
import type { MessageId } from '../src/core/ids.ts'
import type { ReplyName } from './smtpReplies.ts'
import { lackAtMailbox, lackOfPeer } from './senderDemands.ts'
import type { Recipient, RefusalKind, SmtpContext, SmtpEvent } from './smtpSetup.ts'

export const reply = (params: ReplyName) => ({ type: 'reply' as const, params })
export const refuse = (params: RefusalKind) => ({ type: 'refuse' as const, params })
export const end = (params: SessionOutcome) => ({ type: 'end' as const, params })

/** A command that makes no sense: counted, answered, and too many of them end the session. */
export const nonsense = (name: ReplyName, kind: RefusalKind = 'bad-command') => ({
  actions: [{ type: 'countBad' as const }, refuse(kind), reply(name)],
})
export const ending = (name: ReplyName, outcome: SessionOutcome) => ({
  target: '#smtpSession.ended' as const,
  actions: [reply(name), end(outcome)],
})

export const tooManyBad = { guard: 'tooManyBad', ...ending('tooManyBad', 'refused') } as const

type Told<T extends SmtpEvent['type']> = { readonly event: Extract<SmtpEvent, { readonly type: T }> }

type In = { readonly context: SmtpContext }
const ofPeer = ({ context }: In) => lackOfPeer(context)
const atMailbox = ({ context, event }: In & { readonly event: Recipient }) => lackAtMailbox(context, event)

/** A sender who has not shown what the listener asks for. */
export const lacking = {
  guard: { type: 'lacks', params: ofPeer },
  actions: [
    { type: 'refuseLack', params: ofPeer },
    { type: 'replyToLack', params: ofPeer },
  ],
} as const

/** The same for what the recipient's mailbox asks for. */
export const lackingHere = {
  guard: { type: 'lacks', params: atMailbox },
  actions: [
    { type: 'refuseLack', params: atMailbox },
    { type: 'replyToLack', params: atMailbox },
  ],
} as const

/** AUTH where it is not taken: what comes first names itself. */
export const authOnly = (otherwise: ReplyName) =>
  [
    { guard: 'noAuth', ...nonsense('noAuth', 'auth') },
    { guard: 'plain', ...nonsense('tlsBeforeAuth', 'auth') },
    { guard: 'known', ...nonsense('authDone', 'auth') },
    nonsense(otherwise, 'auth'),
  ] as const

/** What a peer may say whenever the gateway listens to commands. */
export const anytime = {
  noop: { actions: ['countIdle', reply('ok')] },
  help: { actions: ['countIdle', reply('help')] },
  vrfy: { actions: ['countIdle', reply('notVerified')] },
  quit: ending('bye', 'quit'),
  hello: {
    target: '#smtpSession.open.helloed',
    actions: ['countIdle', 'keepHello', { type: 'welcome', params: ({ event }: Told<'hello'>) => event.extended }],
  },
  auth: authOnly('authInTransaction'),
  unimplemented: nonsense('notImplemented'),
  http: ending('notHttp', 'refused'),
  // Its octets would be taken for commands.
  sizeless: {
    target: '#smtpSession.ended',
    actions: [refuse('bad-command'), reply('chunkSyntax'), reply('chunkUnread'), end('refused')],
  },
  malformed: {
    actions: [
      'countBad',
      refuse('bad-command'),
      { type: 'reply', params: ({ event }: Told<'malformed'>) => event.problem },
    ],
  },
} as const

const errorOf = ({ event }: { readonly event: ErrorActorEvent }) => event.error
const failed = [
  { type: 'answerFailure', params: errorOf },
  { type: 'fail', params: errorOf },
] as const

/** The work that takes a message, and its verdict. */
export const receive = {
  id: 'receive',
  src: 'receive',
  input: ({ context: { sessionId, mailboxId, smtpUtf8 } }: { readonly context: SmtpContext }) => ({
    sessionId,
    mailboxId,
    smtpUtf8,
  }),
  onDone: {
    target: '#smtpSession.open.helloed',
    actions: [
      'forgive',
      {
        type: 'acknowledge',
        params: ({ event }: { readonly event: DoneActorEvent<{ readonly messageId: MessageId }> }) =>
          event.output.messageId,
      },
    ],
  },
  onError: [
    {
      guard: { type: 'endsSession', params: errorOf },
      target: '#smtpSession.ended',
      actions: [...failed, end('failed')],
    },
    { target: '#smtpSession.open.helloed', actions: [...failed] },
  ],
} as const
