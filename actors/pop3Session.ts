import { noDeletions } from './deletions.ts'
import { type OpenedMaildrop, openedText, scanText, sizeText, uniqueIdText } from './pop3Replies.ts'
import { proxiedStates } from './pop3ProxiedStates.ts'
import { type Done, empty, type Fetched, left, outputOf, pop3 } from './pop3Setup.ts'
import { broken, refusedLogin, working } from './pop3Working.ts'

const bye = [
  { type: 'say', params: '+OK Bye' },
  { type: 'ending', params: 'quit' },
] as const

const refusal = ['refuse', 'countRefusal'] as const
const over = [...refusal, { type: 'ending', params: 'refused' }] as const

/** Authorization state (RFC 1939 §4). A handler whose guard fails leaves the event to the root's answer. */
const authorization = pop3.createStateConfig({
  tags: 'ready',
  on: {
    capa: { actions: 'tellCapabilities' },
    // It changes nothing: messages are sent as they are in any case.
    utf8: { guard: 'offersUtf8', actions: { type: 'say', params: '+OK UTF-8' } },
    quit: { target: 'ended', actions: bye },
    user: [
      {
        guard: { type: 'found', params: 'given' },
        target: 'named',
        actions: { type: 'say', params: '+OK Send the password' },
      },
      {
        guard: 'leadsElsewhere',
        target: 'namedElsewhere',
        actions: { type: 'say', params: '+OK Send the password' },
      },
    ],
    auth: [
      { guard: { type: 'found', params: 'given' }, target: 'unlocking' },
      { guard: 'leadsElsewhere', target: 'connecting' },
      { guard: { type: 'found', params: 'awaited' }, target: 'challenged', actions: { type: 'say', params: '+ ' } },
    ],
  },
})

const challenged = pop3.createStateConfig({
  description: 'RFC 5034 §4: the next line is the response, `*` cancels.',
  tags: ['ready', 'response'],
  on: {
    response: [
      { guard: { type: 'found', params: 'given' }, target: 'unlocking' },
      { guard: 'leadsElsewhere', target: 'connecting' },
      {
        guard: { type: 'found', params: 'cancelled' },
        target: 'anonymous',
        actions: { type: 'say', params: '-ERR Authentication cancelled' },
      },
      { guard: 'lastMistake', target: 'ended', actions: over },
      { target: 'anonymous', actions: [...refusal, 'countMistake'] },
    ],
  },
})

const unlocking = pop3.createStateConfig({
  ...working,
  invoke: {
    id: 'unlock',
    src: 'unlock',
    input: ({ context }) => ({ session: context.session }),
    onDone: {
      target: 'open',
      actions: [
        { type: 'opened', params: (done: Done<OpenedMaildrop>) => outputOf(done) },
        { type: 'say', params: (done: Done<OpenedMaildrop>) => openedText(outputOf(done)) },
      ],
    },
    ...refusedLogin,
  },
})

const noSuchMessage = { guard: 'namesNone', actions: { type: 'say', params: '-ERR No such message' } } as const

/** Transaction state (RFC 1939 §5), between commands. */
const open = pop3.createStateConfig({
  tags: ['ready', 'maildrop'],
  on: {
    capa: { actions: 'tellCapabilities' },
    noop: { actions: { type: 'say', params: '+OK' } },
    stat: { actions: { type: 'say', params: ({ context }) => `+OK ${left(context).count} ${left(context).octets}` } },
    list: { target: 'listing', actions: { type: 'say', params: ({ context }) => sizeText(left(context)) } },
    uidl: { target: 'identifying', actions: { type: 'say', params: '+OK' } },
    listOne: [
      { guard: 'exists', actions: { type: 'say', params: ({ event }) => scanText(event.message) } },
      noSuchMessage,
    ],
    uidlOne: [
      { guard: 'exists', actions: { type: 'say', params: ({ event }) => uniqueIdText(event.message) } },
      noSuchMessage,
    ],
    retr: [{ guard: 'exists', target: 'fetching', actions: 'want' }, noSuchMessage],
    top: [{ guard: 'exists', target: 'fetching', actions: 'want' }, noSuchMessage],
    dele: [{ guard: 'exists', actions: ['mark', { type: 'say', params: '+OK Deleted at QUIT' }] }, noSuchMessage],
    rset: { actions: ['unmark', { type: 'say', params: ({ context }) => sizeText(context.maildrop) }] },
    quit: [{ guard: 'unchanged', target: 'ended', actions: bye }, { target: 'updating' }],
  },
})

/**
 * One POP3 connection: RFC 1939, 2449, 2595, 3206, 5034, 6856. The shell sends the next command only in a state tagged
 * `ready`; with the tag `response` its next line is no command but the answer to a challenge.
 */
export const pop3Session = pop3.createMachine({
  id: 'pop3Session',
  // As that of `smtpSession`.
  version: '1',
  context: ({ input }) => ({
    ...input,
    mistakes: 0,
    refusedLogins: 0,
    maildrop: empty,
    deletions: noDeletions(0),
    deleted: empty,
    wanted: { number: 0, octets: 0, lines: 0 },
    asked: { verb: 'noop', number: undefined, lines: undefined },
    outcome: 'lost',
  }),
  // No timestamp in angle brackets: that would offer APOP (RFC 1939 §7).
  entry: { type: 'say', params: ({ context }) => `+OK ${context.domain} Sealpost POP3 service ready` },
  initial: 'anonymous',
  on: {
    closed: { target: '.ended', actions: { type: 'ending', params: ({ event }) => event.outcome } },
    oversized: { target: '.ended', actions: over },
    '*': [{ guard: 'lastMistake', target: '.ended', actions: over }, { actions: [...refusal, 'countMistake'] }],
  },
  states: {
    anonymous: {
      ...authorization,
      on: {
        ...authorization.on,
        stls: { guard: 'plain', target: 'upgrading', actions: { type: 'say', params: '+OK Begin TLS' } },
      },
    },
    named: {
      ...authorization,
      on: { ...authorization.on, pass: { guard: { type: 'found', params: 'given' }, target: 'unlocking' } },
    },
    namedElsewhere: {
      ...authorization,
      on: { ...authorization.on, pass: { guard: { type: 'found', params: 'given' }, target: 'connecting' } },
    },
    challenged,
    upgrading: {
      ...working,
      invoke: {
        id: 'upgrade',
        src: 'upgrade',
        input: ({ context }) => ({ session: context.session }),
        onDone: { target: 'anonymous', actions: 'secured' },
        onError: { target: 'ended', actions: ['report', { type: 'ending', params: 'failed' }] },
      },
    },
    unlocking,
    open,
    listing: {
      ...working,
      tags: 'maildrop',
      invoke: {
        id: 'enumerate',
        src: 'enumerate',
        input: ({ context }) => ({ session: context.session, listing: 'list', deletions: context.deletions }),
        onDone: 'open',
        onError: broken,
      },
    },
    identifying: {
      ...working,
      tags: 'maildrop',
      invoke: {
        id: 'enumerate',
        src: 'enumerate',
        input: ({ context }) => ({ session: context.session, listing: 'uidl', deletions: context.deletions }),
        onDone: 'open',
        onError: broken,
      },
    },
    fetching: {
      ...working,
      tags: 'maildrop',
      invoke: {
        id: 'fetch',
        src: 'fetch',
        input: ({ context }) => ({ session: context.session, ...context.wanted }),
        onDone: [
          {
            guard: { type: 'fetchedWhole', params: (done: Done<Fetched>) => outputOf(done) },
            target: 'open',
            actions: ['sayOctets', 'deliver'],
          },
          { target: 'sending', actions: 'sayOctets' },
        ],
        onError: { target: 'open', actions: ['sayFailure', 'report'] },
      },
    },
    sending: {
      ...working,
      tags: 'maildrop',
      invoke: {
        id: 'send',
        src: 'send',
        input: ({ context }) => ({ session: context.session, ...context.wanted }),
        onDone: 'open',
        onError: broken,
      },
    },
    updating: {
      description: 'RFC 1939 §6. The commit has begun: it decides the outcome, even when the peer has left.',
      on: { closed: {}, '*': {} },
      invoke: {
        id: 'update',
        src: 'update',
        input: ({ context }) => ({ session: context.session, deletions: context.deletions }),
        onDone: { target: 'ended', actions: bye },
        onError: {
          target: 'ended',
          actions: ['sayFailure', 'report', { type: 'ending', params: 'failed' }],
        },
      },
    },
    ...proxiedStates,
    ended: { type: 'final' },
  },
})
