import type { ErrorCode } from '../src/core/errors.ts'
import type { SessionOutcome } from '../src/core/events.ts'
import { smtpProxySetup } from './smtpProxySetup.ts'

const say = (params: 'ehlo' | 'starttls' | 'answer' | 'quit') => ({ type: 'say' as const, params })
const fail = (params: ErrorCode) => ({ type: 'fail' as const, params })
const end = (params: SessionOutcome) => ({ type: 'end' as const, params })
const code = (params: number) => ({ type: 'code' as const, params })

const itsFailure = { type: 'failWith', params: ({ event }: { event: { error: unknown } }) => event.error } as const

/** The server has said no, and gets a goodbye. */
const refused = {
  guard: 'refusal',
  target: '#smtpProxy.ended',
  actions: ['pass', say('quit'), end('refused')],
} as const
const failing = (of: ErrorCode, outcome: SessionOutcome = 'failed') =>
  ({ target: '#smtpProxy.ended', actions: [fail(of), end(outcome)] }) as const
/** No credentials were sent: the server can be left in peace. */
const withoutLogin = (of: ErrorCode) =>
  ({ target: '#smtpProxy.ended', actions: [fail(of), say('quit'), end('failed')] }) as const
const withdrawing = (of: ErrorCode, outcome: SessionOutcome = 'failed') =>
  ({ target: '#smtpProxy.ended', actions: ['withdraw', fail(of), end(outcome)] }) as const
const unknown = { target: '#smtpProxy.settling', actions: ['keepSilence', 'settle'] } as const

/** Until the end of the message was sent the remote server has nothing that it might send on. */
const beforeTheEnd = {
  unsealed: {
    target: '#smtpProxy.ended',
    actions: ['withdraw', itsFailure, end('failed')],
  },
  replied: [
    { guard: 'refusal', target: '#smtpProxy.ended', actions: ['withdraw', 'pass', 'lose', end('failed')] },
    withdrawing('proxy-lost'),
  ],
  nonsense: withdrawing('proxy-lost'),
  closed: withdrawing('proxy-lost', 'lost'),
  left: { target: '#smtpProxy.ended', actions: ['withdraw', end('lost')] },
  stopped: { target: '#smtpProxy.ended', actions: ['withdraw', end('shutdown')] },
  silent: withdrawing('proxy-lost', 'timeout'),
  '*': withdrawing('proxy-lost'),
} as const

/**
 * The gateway's connection to a client's SMTP server (RFC 5321, 4954, 3207). The end of a message goes there only after its
 * copy is durable. Whatever ends it before that ends the connection, without the end of the message.
 */
export const smtpProxy = smtpProxySetup.createMachine({
  id: 'smtpProxy',
  // As that of `smtpSession`.
  version: '1',
  context: ({ input }) => ({
    ...input,
    chosen: input.mechanism,
    unsaid: [],
    challenges: 0,
    answer: { outcome: 'silent', code: 0 },
    alone: false,
    gone: false,
  }),
  initial: 'greeting',
  on: {
    silent: failing('proxy-lost', 'timeout'),
    closed: failing('proxy-lost', 'lost'),
    left: { target: '.ended', actions: end('lost') },
    stopped: { target: '.ended', actions: end('shutdown') },
    // What no server says there, or the client's side tells out of turn.
    '*': failing('proxy-lost'),
  },
  states: {
    greeting: {
      on: {
        replied: [{ guard: code(220), target: 'inquiring', actions: say('ehlo') }, refused, failing('proxy-lost')],
      },
    },
    inquiring: {
      description: 'Twice where STARTTLS comes between: what was said before TLS may have been said by anybody.',
      on: {
        offered: [
          { guard: 'mayLogIn', target: 'authenticating', actions: ['choose', 'authenticate'] },
          { guard: 'secure', ...withoutLogin('proxy-mechanism') },
          { guard: 'offersTls', target: 'consenting', actions: say('starttls') },
          withoutLogin('proxy-no-tls'),
        ],
        replied: [refused, failing('proxy-lost')],
      },
    },
    consenting: {
      on: {
        replied: [
          { guard: code(220), target: 'upgrading', actions: 'startTls' },
          // RFC 3207 §4: 454, TLS not available due to temporary reason.
          { guard: 'temporary', ...withoutLogin('proxy-unreachable') },
          withoutLogin('proxy-no-tls'),
        ],
      },
    },
    upgrading: {
      on: {
        secured: { target: 'inquiring', actions: ['secured', say('ehlo')] },
        unsecured: {
          target: 'ended',
          actions: [itsFailure, end('failed')],
        },
      },
    },
    authenticating: {
      on: {
        replied: [
          { guard: 'positive', target: 'idle', actions: ['tellLogin', 'pass'] },
          { ...refused, actions: ['tellRefusal', ...refused.actions] },
          { guard: 'isForUs', actions: ['sayNext', 'dropSaid'] },
          { guard: 'mayChallenge', target: 'challenged', actions: ['countChallenge', 'pass'] },
          failing('proxy-lost'),
        ],
      },
    },
    challenged: {
      description: 'The client is to answer what the server wants to know beyond the mechanism, `*` too.',
      on: { answer: { target: 'authenticating', actions: say('answer') } },
    },
    idle: {
      description: 'The server waits for a command, and so does the gateway.',
      on: {
        asked: [
          { guard: 'beginsMessage', target: 'beginning', actions: 'sayAsked' },
          { target: 'asking', actions: 'sayAsked' },
        ],
        left: { target: 'ended', actions: [say('quit'), end('quit')] },
        stopped: { target: 'ended', actions: [say('quit'), end('shutdown')] },
        '*': { target: 'ended', actions: ['lose', end('lost')] },
      },
    },
    asking: {
      on: { replied: [{ guard: 'answers', target: 'idle', actions: 'pass' }, failing('proxy-lost')] },
    },
    beginning: {
      description: 'RFC 5321 §4.1.1.4: the message may come, or may not.',
      on: {
        replied: [
          { guard: code(354), target: 'relaying', actions: ['relay', 'pass'] },
          { guard: 'refusal', target: 'idle', actions: 'pass' },
          failing('proxy-lost'),
        ],
      },
    },
    relaying: {
      description: 'The message goes to the server, and is sealed.',
      on: { ...beforeTheEnd, bodyEnded: 'holding' },
    },
    holding: {
      description: 'The server has everything but the end.',
      on: {
        ...beforeTheEnd,
        durable: { target: 'ending', actions: 'endData' },
        silent: withdrawing('storage-failed', 'timeout'),
      },
    },
    ending: {
      description: 'The server may have taken the message. Its answer is waited for whether or not the client does.',
      on: {
        replied: [{ guard: 'answers', target: 'settling', actions: ['keepAnswer', 'settle'] }, unknown],
        silent: unknown,
        nonsense: unknown,
        closed: unknown,
        stopped: { target: 'settling', actions: ['keepSilence', 'leaveAlone', 'settle'] },
        left: { actions: 'leaveAlone' },
        '*': {},
      },
    },
    settling: {
      description: 'What became of the message is being recorded.',
      on: {
        settled: [
          { guard: 'isSilent', ...failing('relay-unknown') },
          { guard: 'alone', target: 'ended', actions: [say('quit'), end('lost')] },
          { guard: 'gone', target: 'ended', actions: ['passAnswer', 'lose', end('lost')] },
          { target: 'idle', actions: 'passAnswer' },
        ],
        closed: { actions: 'keepGone' },
        replied: { actions: 'keepGone' },
        left: { actions: 'leaveAlone' },
        stopped: { actions: 'leaveAlone' },
        '*': {},
      },
    },
    ended: { type: 'final' },
  },
})
