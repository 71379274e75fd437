import type { SessionOutcome } from '../src/core/events.ts'
import type { AskedVerb } from './proxiedSmtp.ts'
import type { ReplyName } from './smtpReplies.ts'
import { noTransaction, submission, type SubmissionRefusal } from './submissionSetup.ts'
import type { SubmittedCredentials } from './submittedCredentials.ts'
import { noExtensions } from './proxiedSmtp.ts'

const reply = (params: ReplyName) => ({ type: 'reply' as const, params })
const refuse = (params: SubmissionRefusal) => ({ type: 'refuse' as const, params })
const end = (params: SessionOutcome) => ({ type: 'end' as const, params })
const turnDown = (params: 'putOff' | 'otherwise') => ({ type: 'turnDown' as const, params })
const ask = (params: AskedVerb) => ({ type: 'ask' as const, params })
const found = (params: SubmittedCredentials) => ({ type: 'found' as const, params })

/** A command that makes no sense: counted, answered, and too many of them end the session. */
const nonsense = (name: ReplyName, kind: SubmissionRefusal = 'bad-command') => ({
  actions: [{ type: 'countBad' as const }, refuse(kind), reply(name)],
})
const ending = (name: ReplyName, outcome: SessionOutcome) => ({
  target: '#submissionSession.ended' as const,
  actions: [reply(name), end(outcome)],
})

/** Nobody is relayed for who is not logged in; the first thing that is missing is named. */
const notYet = [
  { guard: 'plain' as const, ...nonsense('tlsFirst', 'relay') },
  { guard: 'strange' as const, ...nonsense('helloFirst') },
  nonsense('authFirst', 'relay'),
]

/** A login that came to nothing may be tried again, a few times. */
const refusedLogin = (told: 'pass' | 'answerFailure') => [
  {
    guard: 'lastAttempt' as const,
    target: '#submissionSession.ended' as const,
    actions: [told, refuse('auth'), end('refused')],
  },
  { target: '#submissionSession.open' as const, actions: [told, refuse('auth'), 'countAttempt' as const] },
]

/** What the remote server, or the way there, says to a login. */
const loggingIn = {
  welcomed: { target: '#submissionSession.open', actions: ['pass', 'logIn'] },
  remote: [
    { guard: { type: 'code', params: 334 }, target: '#submissionSession.answering', actions: 'pass' },
    ...refusedLogin('pass'),
  ],
  failed: [
    {
      guard: 'endsSession',
      target: '#submissionSession.ended',
      actions: ['answerFailure', 'report', end('failed')],
    },
    ...refusedLogin('answerFailure'),
  ],
} as const

/** A pipelining client sends these before it knows that its MAIL was refused here (RFC 2920 §3.1): they are no part of an earlier one. */
const onItsHeels = [
  { guard: 'wasPutOff' as const, actions: 'replyPutOff' as const },
  { guard: 'wasTurnedDown' as const, ...nonsense('mailFirst') },
]

/** A transaction may begin, if the remote server wants it too. */
const beginning = [
  { guard: 'tooLarge', actions: [turnDown('otherwise'), refuse('too-large'), reply('tooLarge')] },
  { guard: 'putOff', actions: [turnDown('putOff'), 'refusePutOff', 'replyPutOff'] },
  { guard: 'lacksSmtpUtf8', actions: [turnDown('otherwise'), reply('remoteLacksSmtpUtf8')] },
  { guard: 'lacksEightBit', actions: [turnDown('otherwise'), reply('remoteLacksEightBit')] },
  { target: '#submissionSession.asking.mail', actions: ['begin' as const, ask('mail')] },
] as const

const lost = ending('remoteLost', 'failed')

/** A command is with the remote server, whose reply is the client's. */
const asking = (accepted: readonly ('mailed' | 'keepMail' | 'addRecipient' | 'keepRecipient' | 'reset')[]) =>
  submission.createStateConfig({
    on: {
      remote: [
        { guard: 'positive', target: '#submissionSession.open', actions: ['pass', ...accepted] },
        { target: '#submissionSession.open', actions: 'pass' },
      ],
    },
  })

/**
 * One SMTP connection of a mail client that sends through the proxy (RFC 6409, 4954): nothing is relayed without a login,
 * and no login is taken without TLS. The remote server's replies are the client's.
 */
export const submissionSession = submission.createMachine({
  id: 'submissionSession',
  // As that of `smtpSession`.
  version: '3',
  context: ({ input }) => ({
    ...input,
    ...noTransaction,
    wantsSmtpUtf8: false,
    helloed: false,
    loggedIn: false,
    extensions: noExtensions,
    badCommands: 0,
    idleCommands: 0,
    refusedLogins: 0,
    draining: false,
  }),
  initial: 'arriving',
  on: {
    closed: { target: '.ended', actions: end('lost') },
    idle: ending('timedOut', 'timeout'),
    shutdown: [{ guard: 'now', ...ending('shuttingDown', 'shutdown') }, { actions: 'drain' }],
    flooded: [{ guard: 'byMessage', ...ending('tooLarge', 'refused') }, ending('tooManyBad', 'refused')],
    remoteLost: '.bereft',
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
      description: 'The client may send its next command.',
      tags: 'ready',
      initial: 'choosing',
      always: { guard: 'tooManyBad', ...ending('tooManyBad', 'refused') },
      on: {
        noop: { actions: ['countIdle', reply('ok')] },
        help: { actions: ['countIdle', reply('help')] },
        vrfy: { actions: ['countIdle', reply('notVerified')] },
        quit: ending('bye', 'quit'),
        hello: { actions: ['countIdle', 'hear', 'keepHello', 'welcome'] },
        starttls: nonsense('tlsActive'),
        unimplemented: nonsense('notImplemented'),
        http: ending('notHttp', 'refused'),
        bdat: {
          target: '#submissionSession.ended',
          actions: [refuse('bad-command'), reply('notImplemented'), reply('chunkUnread'), end('refused')],
        },
        malformed: { actions: ['countBad', refuse('bad-command'), 'replyProblem'] },
      },
      states: {
        choosing: {
          always: [
            { guard: 'addressed', target: 'transaction.addressed' },
            { guard: 'mailed', target: 'transaction.mailed' },
            { guard: 'loggedIn', target: 'loggedIn' },
            { target: 'anonymous' },
          ],
        },
        anonymous: {
          always: { guard: 'draining', ...ending('shuttingDown', 'shutdown') },
          on: {
            rset: { actions: ['countIdle', reply('ok')] },
            starttls: [
              { guard: 'plain', target: '#submissionSession.securing', actions: reply('readyForTls') },
              nonsense('tlsActive'),
            ],
            auth: [
              { guard: 'plain', ...nonsense('tlsBeforeAuth', 'auth') },
              { guard: 'strange', ...nonsense('helloFirst') },
              { guard: found('given'), target: '#submissionSession.connecting', actions: 'connect' },
              { guard: found('awaited'), target: '#submissionSession.challenged', actions: reply('challenge') },
              { guard: found('userAwaited'), target: '#submissionSession.challenged', actions: reply('userChallenge') },
              {
                guard: found('passwordAwaited'),
                target: '#submissionSession.challenged',
                actions: reply('passwordChallenge'),
              },
              { guard: found('otherMechanism'), ...nonsense('mechanismUnknown', 'auth') },
              nonsense('notBase64', 'auth'),
            ],
            mail: notYet,
            rcpt: notYet,
            data: notYet,
          },
        },
        loggedIn: {
          description: 'The remote server waits for a transaction.',
          always: { guard: 'draining', ...ending('shuttingDown', 'shutdown') },
          on: {
            auth: nonsense('authDone', 'auth'),
            rset: { target: '#submissionSession.asking.rset', actions: ['countIdle', ask('rset')] },
            noop: { target: '#submissionSession.asking.noop', actions: ['countIdle', ask('noop')] },
            mail: beginning,
            rcpt: [...onItsHeels, nonsense('mailFirst')],
            data: [...onItsHeels, nonsense('mailFirst')],
          },
        },
        transaction: {
          initial: 'mailed',
          on: {
            auth: nonsense('authInTransaction', 'auth'),
            // After a refused DATA some servers have the transaction still, and some have not.
            mail: [{ guard: 'certain', ...nonsense('badSequence') }, ...beginning],
            rset: { target: '#submissionSession.asking.rset', actions: ['countIdle', ask('rset')] },
            noop: { target: '#submissionSession.asking.noop', actions: ['countIdle', ask('noop')] },
            hello: { target: '#submissionSession.asking.hello', actions: ['countIdle', ask('rset')] },
            rcpt: [
              ...onItsHeels,
              { guard: 'needsSmtpUtf8', actions: reply('needsSmtpUtf8') },
              { guard: 'tooManyRecipients', actions: reply('tooManyRecipients') },
              { target: '#submissionSession.asking.rcpt', actions: ask('rcpt') },
            ],
          },
          states: {
            mailed: {
              description: 'The server has taken the reverse-path, and no recipient yet.',
              // A pipelining client sends DATA before it knows that its recipients were refused (RFC 2920 §3.1).
              on: { data: [...onItsHeels, { actions: reply('recipientFirst') }] },
            },
            addressed: {
              description: 'The server has taken a recipient.',
              on: { data: [...onItsHeels, { target: '#submissionSession.asking.data', actions: ask('data') }] },
            },
          },
        },
      },
    },
    securing: {
      description: 'The TLS handshake runs.',
      entry: 'startTls',
      on: { secured: { target: 'open', actions: 'secured' } },
    },
    challenged: {
      description: 'RFC 4954 §4: the next line is the response, `*` cancels.',
      tags: ['ready', 'response'],
      on: {
        response: [
          { guard: found('given'), target: 'connecting', actions: 'connect' },
          { guard: found('passwordAwaited'), actions: reply('passwordChallenge') },
          { guard: found('cancelled'), target: 'open', actions: reply('authCancelled') },
          { target: 'open', ...nonsense('notBase64', 'auth') },
        ],
      },
    },
    connecting: {
      description: 'The remote server is reached for and has the credentials.',
      on: loggingIn,
    },
    answering: {
      description: 'The next line is the response to a challenge of the remote server, `*` too.',
      tags: ['ready', 'response'],
      on: { ...loggingIn, response: { target: 'connecting', actions: 'respond' } },
    },
    asking: {
      initial: 'noop',
      on: {
        remoteLost: lost,
        failed: { target: 'ended', actions: ['answerFailure', 'report', end('failed')] },
      },
      states: {
        mail: asking(['mailed', 'keepMail']),
        rcpt: asking(['addRecipient', 'keepRecipient']),
        rset: asking(['reset']),
        noop: asking([]),
        hello: {
          on: {
            remote: [
              {
                guard: 'positive',
                target: '#submissionSession.open',
                actions: ['reset', 'hear', 'keepHello', 'welcome'],
              },
              { target: '#submissionSession.open', actions: 'pass' },
            ],
          },
        },
        data: {
          on: {
            remote: [
              {
                guard: { type: 'code', params: 354 },
                target: '#submissionSession.receiving',
                actions: ['pass', 'takeData'],
              },
              { target: '#submissionSession.open', actions: ['pass', 'doubt'] },
            ],
          },
        },
      },
    },
    receiving: {
      description: 'The message goes to the remote server and into the archive.',
      exit: 'reset',
      on: {
        remote: { target: 'open', actions: ['forgive', 'pass'] },
        failed: [
          { guard: 'endsSession', target: 'ended', actions: ['answerFailure', 'report', end('failed')] },
          { target: 'bereft', actions: ['answerFailure', 'report'] },
        ],
        remoteLost: lost,
      },
    },
    bereft: {
      description: 'There is no remote server any more; the next command is told so.',
      tags: 'ready',
      always: { guard: 'draining', ...ending('shuttingDown', 'shutdown') },
      on: {
        quit: ending('bye', 'quit'),
        remoteLost: {},
        shutdown: ending('shuttingDown', 'shutdown'),
        '*': lost,
      },
    },
    ended: { type: 'final' },
  },
})
