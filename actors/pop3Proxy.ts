import type { ErrorCode } from '../src/core/errors.ts'
import { pop3ProxySetup, type ProxyContext, type Saying } from './pop3ProxySetup.ts'
import type { RemoteStatus } from './proxied.ts'

const failedWith = (code: ErrorCode) =>
  ({
    target: 'ended',
    actions: [
      { type: 'failWith', params: code },
      { type: 'ending', params: 'failed' },
    ],
  }) as const

/** What no server says there. */
const lost = failedWith('proxy-lost')

const failed = { target: 'ended', actions: ['fail', { type: 'ending', params: 'failed' }] } as const

const passed = (status: RemoteStatus) => ({ type: 'pass', params: status }) as const
const heard = (status: RemoteStatus) => ({ type: 'heard', params: status }) as const

const refused = {
  guard: heard('err'),
  target: 'ended',
  actions: [passed('err'), { type: 'ending', params: 'refused' }],
} as const

const welcome = { guard: heard('ok'), target: 'idle', actions: ['loggedIn', passed('ok')] } as const

const challenge = {
  guard: 'mayChallenge',
  target: 'challenged',
  actions: ['countChallenge', passed('continue')],
} as const

const input = ({ context: { session, asked } }: { context: ProxyContext }) => ({ session, asked })

const telling = (say: Saying) =>
  ({
    id: 'tell',
    src: 'tell',
    input: ({ context: { session, asked } }: { context: ProxyContext }) => ({ session, asked, say }),
    onError: failed,
  }) as const

/** A reply that ends the client's command, whatever it says. */
const answered = [
  { guard: heard('ok'), target: 'idle', actions: passed('ok') },
  { guard: heard('err'), target: 'idle', actions: passed('err') },
  lost,
] as const

/** A reply of many lines, which is passed on in its own state, or its refusal. */
const begun = (target: 'listing' | 'taking' | 'copying') =>
  [{ guard: heard('ok'), target }, { guard: heard('err'), target: 'idle', actions: passed('err') }, lost] as const

/** The client hears of it; the connection goes on. */
const unrecorded = { target: 'idle', actions: 'fail' } as const

/**
 * The gateway's connection to a client's POP3 server: RFC 1939, 2449, 2595, 5034, 7628. It is told one command at a time,
 * when it is `ready`. The end of a message is released to the client, and a message is deleted, only after a copy of it is
 * durable.
 */
export const pop3Proxy = pop3ProxySetup.createMachine({
  id: 'pop3Proxy',
  // As that of `smtpSession`.
  version: '1',
  context: ({ input }) => ({
    ...input,
    capable: { stls: false, user: false, mechanisms: [] },
    challenges: 0,
    asked: { verb: 'noop', number: undefined, lines: undefined },
    outcome: 'lost',
  }),
  initial: 'greeting',
  on: {
    closed: { target: '.ended', actions: { type: 'ending', params: ({ event }) => event.outcome } },
    '*': { target: '.ended', actions: { type: 'ending', params: 'failed' } },
  },
  states: {
    greeting: {
      invoke: {
        id: 'hear',
        src: 'hear',
        input,
        onDone: [{ guard: heard('ok'), target: 'inquiring' }, refused, lost],
        onError: failed,
      },
    },
    inquiring: {
      description: 'Twice where STLS comes between: what was said before TLS may have been said by anybody.',
      invoke: {
        id: 'inquire',
        src: 'inquire',
        input,
        onDone: [
          { guard: 'mayUpgrade', target: 'consenting' },
          { guard: 'plain', ...failedWith('proxy-no-tls') },
          { guard: 'takesUser', target: 'naming' },
          { guard: 'takesMechanism', target: 'authenticating' },
          failedWith('proxy-mechanism'),
        ],
        onError: failed,
      },
    },
    consenting: {
      invoke: {
        ...telling('stls'),
        onDone: [{ guard: heard('ok'), target: 'upgrading' }, failedWith('proxy-no-tls')],
      },
    },
    upgrading: {
      invoke: {
        id: 'upgrade',
        src: 'upgrade',
        input,
        onDone: { target: 'inquiring', actions: 'secured' },
        onError: failed,
      },
    },
    naming: { invoke: { ...telling('user'), onDone: [{ guard: heard('ok'), target: 'proving' }, refused, lost] } },
    proving: { invoke: { ...telling('pass'), onDone: [welcome, refused, lost] } },
    authenticating: {
      invoke: { ...telling('auth'), onDone: [{ guard: heard('continue'), target: 'responding' }, refused, lost] },
    },
    responding: { invoke: { ...telling('response'), onDone: [welcome, refused, challenge, lost] } },
    challenged: { tags: 'ready', on: { answer: 'answering' } },
    answering: { invoke: { ...telling('answer'), onDone: [welcome, refused, challenge, lost] } },
    idle: {
      tags: 'ready',
      on: {
        asked: [
          { guard: 'asksOneLine', target: 'relaying', actions: 'want' },
          { guard: 'asksListing', target: 'asking', actions: 'want' },
          { guard: 'asksMessage', target: 'identifying', actions: 'want' },
          { guard: 'asksQuit', target: 'quitting', actions: 'want' },
          { target: 'ended', actions: { type: 'ending', params: 'failed' } },
        ],
      },
    },
    relaying: { invoke: { ...telling('command'), onDone: answered } },
    asking: {
      invoke: { ...telling('command'), onDone: begun('listing') },
    },
    listing: {
      invoke: {
        id: 'list',
        src: 'list',
        input,
        onDone: { target: 'idle', actions: 'release' },
        onError: failed,
      },
    },
    identifying: {
      invoke: {
        id: 'identify',
        src: 'identify',
        input,
        onDone: [
          { guard: 'deletesRecorded', target: 'deleting' },
          { guard: 'deletes', target: 'collecting' },
          { guard: 'tops', target: 'topping' },
          { target: 'retrieving' },
        ],
        onError: failed,
      },
    },
    retrieving: {
      invoke: { ...telling('retr'), onDone: begun('taking') },
    },
    topping: {
      invoke: { ...telling('top'), onDone: begun('taking') },
    },
    taking: {
      invoke: {
        id: 'take',
        src: 'take',
        input,
        onDone: [
          { guard: { type: 'took', params: 'whole' }, target: 'holding' },
          { guard: { type: 'took', params: 'same' }, target: 'idle', actions: 'release' },
          { guard: 'tops', target: 'idle', actions: 'release' },
          lost,
        ],
        onError: failed,
      },
    },
    holding: {
      description: 'The client has everything but the end.',
      invoke: {
        id: 'hold',
        src: 'hold',
        input,
        onDone: { target: 'idle', actions: 'release' },
        onError: unrecorded,
      },
    },
    collecting: {
      description:
        'Nobody has read on this connection what is to be deleted: unless it is recorded already, it is now.',
      invoke: { ...telling('retr'), onDone: begun('copying') },
    },
    copying: {
      invoke: {
        id: 'take',
        src: 'take',
        input,
        onDone: [
          { guard: { type: 'took', params: 'whole' }, target: 'keeping' },
          { guard: { type: 'took', params: 'same' }, target: 'deleting' },
          lost,
        ],
        onError: failed,
      },
    },
    keeping: {
      invoke: {
        id: 'hold',
        src: 'hold',
        input,
        onDone: 'deleting',
        onError: unrecorded,
      },
    },
    deleting: { invoke: { ...telling('dele'), onDone: answered } },
    quitting: {
      invoke: {
        ...telling('quit'),
        onDone: [
          { guard: heard('ok'), target: 'ended', actions: [passed('ok'), { type: 'ending', params: 'quit' }] },
          { guard: heard('err'), target: 'ended', actions: [passed('err'), { type: 'ending', params: 'quit' }] },
          lost,
        ],
      },
    },
    ended: { type: 'final' },
  },
})
