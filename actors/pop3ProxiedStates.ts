import { broken, refusedLogin, working } from './pop3Working.ts'
import { type Context, type Done, outputOf, pop3, type Relayed } from './pop3Setup.ts'

/** What the remote server says to a login is what the client is told. */
const loggingIn = {
  ...refusedLogin,
  onDone: [
    { guard: { type: 'remote', params: 'ok' }, target: 'proxied', actions: { type: 'pass', params: 'ok' } },
    {
      guard: { type: 'remote', params: 'continue' },
      target: 'answering',
      actions: { type: 'pass', params: 'continue' },
    },
    {
      guard: 'remoteRefusesLast',
      target: 'ended',
      actions: [
        { type: 'pass', params: 'err' },
        { type: 'ending', params: 'refused' },
      ],
    },
    { target: 'anonymous', actions: [{ type: 'pass', params: 'err' }, 'countAttempt'] },
  ],
} as const

const lostRemote = { target: 'ended', actions: { type: 'ending', params: 'lost' } } as const

const relay = {
  id: 'relay',
  src: 'relay',
  input: ({ context: { session, asked } }: { context: Context }) => ({ session, asked }),
} as const

const passStatus = { type: 'pass', params: (done: Done<Relayed>) => outputOf(done).status } as const

/** The states of a session whose user name leads to another server, from the end of its credentials on. */
export const proxiedStates = {
  connecting: pop3.createStateConfig({
    ...working,
    invoke: { id: 'connect', src: 'connect', input: ({ context: { session } }) => ({ session }), ...loggingIn },
  }),
  answering: pop3.createStateConfig({
    description: 'The next line is the response to a challenge of the remote server, `*` too.',
    tags: ['ready', 'response', 'remote'],
    on: { response: 'answered', remoteLost: lostRemote },
  }),
  answered: pop3.createStateConfig({
    ...working,
    invoke: { id: 'answer', src: 'answer', input: ({ context: { session } }) => ({ session }), ...loggingIn },
  }),
  proxied: pop3.createStateConfig({
    description: 'Another server has taken the login: what the client says is passed on to it.',
    tags: ['ready', 'remote'],
    on: {
      proxied: [
        { guard: 'asksQuit', target: 'leaving', actions: 'ask' },
        { target: 'relaying', actions: 'ask' },
      ],
      remoteLost: lostRemote,
    },
  }),
  relaying: pop3.createStateConfig({
    ...working,
    invoke: {
      ...relay,
      onDone: [
        {
          guard: { type: 'hasRest', params: (done: Done<Relayed>) => outputOf(done) },
          target: 'passing',
          actions: passStatus,
        },
        { target: 'proxied', actions: passStatus },
      ],
      onError: [
        {
          guard: 'remoteGone',
          target: 'ended',
          actions: ['sayFailure', 'report', { type: 'ending', params: 'failed' }],
        },
        { target: 'proxied', actions: ['sayFailure', 'report'] },
      ],
    },
  }),
  passing: pop3.createStateConfig({
    ...working,
    invoke: {
      id: 'passOn',
      src: 'passOn',
      input: ({ context: { session } }) => ({ session }),
      onDone: { target: 'proxied', actions: 'end' },
      onError: broken,
    },
  }),
  leaving: pop3.createStateConfig({
    ...working,
    invoke: {
      ...relay,
      onDone: { target: 'ended', actions: [passStatus, { type: 'ending', params: 'quit' }] },
      onError: { target: 'ended', actions: ['sayFailure', 'report', { type: 'ending', params: 'failed' }] },
    },
  }),
}
