import type { DoneActorEvent, ErrorActorEvent } from 'xstate'
import type { SenderId } from '../src/core/ids.ts'
import type { SubmittedCredentials } from './submittedCredentials.ts'
import { type SmtpContext, smtp } from './smtpSetup.ts'
import { authOnly, end, nonsense, reply, tooManyBad } from './smtpTransitions.ts'

const found = (params: SubmittedCredentials) => ({ type: 'found' as const, params })
const [noAuth, plain, known] = authOnly('notBase64')

/** AUTH between transactions (RFC 4954 §4). */
export const auth = [
  noAuth,
  plain,
  known,
  { guard: found('given'), target: '#smtpSession.authenticating' },
  { guard: found('awaited'), target: '#smtpSession.challenged', actions: reply('challenge') },
  { guard: found('userAwaited'), target: '#smtpSession.challenged', actions: reply('userChallenge') },
  { guard: found('passwordAwaited'), target: '#smtpSession.challenged', actions: reply('passwordChallenge') },
  { guard: found('otherMechanism'), ...nonsense('senderMechanismUnknown', 'auth') },
  nonsense('notBase64', 'auth'),
] as const

const refused = {
  type: 'answerFailure',
  params: ({ event }: { readonly event: ErrorActorEvent }) => event.error,
} as const

/** The states of a login with a sender's token. */
export const authenticationStates = {
  challenged: smtp.createStateConfig({
    description: 'RFC 4954 §4: the next line is the response, `*` cancels.',
    tags: ['ready', 'response'],
    always: tooManyBad,
    on: {
      response: [
        { guard: found('given'), target: '#smtpSession.authenticating' },
        { guard: found('passwordAwaited'), actions: reply('passwordChallenge') },
        { guard: found('cancelled'), target: '#smtpSession.open.helloed', actions: reply('authCancelled') },
        { target: '#smtpSession.open.helloed', ...nonsense('notBase64', 'auth') },
      ],
    },
  }),
  authenticating: smtp.createStateConfig({
    description: 'The token is compared.',
    invoke: {
      id: 'authenticate',
      src: 'authenticate',
      input: ({ context: { sessionId } }: { readonly context: SmtpContext }) => ({ sessionId }),
      onDone: {
        target: '#smtpSession.open.helloed',
        actions: [
          {
            type: 'know',
            params: ({ event }: { readonly event: DoneActorEvent<{ readonly sender: SenderId }> }) =>
              event.output.sender,
          },
          reply('authAccepted'),
        ],
      },
      onError: [
        { guard: 'lastAttempt', target: '#smtpSession.ended', actions: [refused, end('refused')] },
        { target: '#smtpSession.open.helloed', actions: [refused, 'countAttempt'] },
      ],
    },
  }),
}
