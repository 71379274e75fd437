import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { initialTransition, transition } from 'xstate'
import { getShortestPaths } from 'xstate/graph'
import type { Pop3Event } from '../../actors/pop3Replies.ts'
import { pop3Session } from '../../actors/pop3Session.ts'
import type { Pop3Emitted } from '../../actors/pop3Setup.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { newMessageId } from '../../src/core/ids.ts'

/** What the machine itself is told by the work that it invoked. */
type WorkEvent =
  | { readonly type: `xstate.done.actor.${string}`; readonly output?: unknown }
  | { readonly type: `xstate.error.actor.${string}`; readonly error: unknown }
type AnyEvent = Pop3Event | WorkEvent

const input = { session: 's', domain: 'gateway.example', secure: true, proxy: false, badCommands: 4 }
const uid = newMessageId()
const message = (number: number, octets = 100) => ({ number, octets, messageId: uid })

const done = (work: string, output?: unknown): WorkEvent => ({ type: `xstate.done.actor.${work}`, output })
const failed = (work: string, error: unknown): WorkEvent => ({ type: `xstate.error.actor.${work}`, error })

/** The state after the events, and everything that was emitted by the last of them. */
const after = (events: readonly AnyEvent[], start: Partial<typeof input> = {}) => {
  let [state, actions] = initialTransition(pop3Session, { ...input, ...start })
  // Events of work are the library's own and not in the machine's type.
  for (const event of events) [state, actions] = transition(pop3Session, state, event as Pop3Event)
  const emitted = emittedBy(actions)
  return { value: state.value, context: state.context, emitted, replies: repliesOf(emitted) }
}
/** `emit` is the library's own action, which the machine's type of its actions leaves out. */
const emittedBy = (actions: readonly { readonly type: string; readonly params?: unknown }[]) =>
  actions
    .filter(({ type }) => type === 'xstate.emit')
    .map(({ params }) => (params as { readonly event: Pop3Emitted }).event)
const repliesOf = (emitted: readonly Pop3Emitted[]) => emitted.flatMap((one) => (one.type === 'reply' ? one.lines : []))

const login: readonly AnyEvent[] = [{ type: 'auth', found: 'given' }, done('unlock', { count: 3, octets: 300 })]
const sending: readonly AnyEvent[] = [{ type: 'retr', message: message(1) }, done('fetch', { whole: false })]

const quit: AnyEvent = { type: 'proxied', verb: 'quit', number: undefined, lines: undefined }
const asked: AnyEvent = { type: 'proxied', verb: 'retr', number: 1, lines: undefined }
const elsewhere: readonly AnyEvent[] = [{ type: 'auth', found: 'proxied' }, done('connect', 'ok')]

/** What the client is given by the last of the events, where user names may lead to other servers. */
const proxiedTable: readonly (readonly [events: readonly AnyEvent[], state: string, given: readonly string[]])[] = [
  [[{ type: 'user', found: 'proxied' }], 'namedElsewhere', ['+OK Send the password']],
  [
    [
      { type: 'user', found: 'proxied' },
      { type: 'pass', found: 'given' },
    ],
    'connecting',
    [],
  ],
  [
    [
      { type: 'auth', found: 'awaited' },
      { type: 'response', found: 'proxied' },
    ],
    'connecting',
    [],
  ],
  [[{ type: 'user', found: 'given' }], 'named', ['+OK Send the password']],
  [elsewhere, 'proxied', ['pass ok']],
  [[{ type: 'auth', found: 'proxied' }, done('connect', 'err')], 'anonymous', ['pass err']],
  [[{ type: 'auth', found: 'proxied' }, done('connect', 'continue')], 'answering', ['pass continue']],
  [
    [{ type: 'auth', found: 'proxied' }, done('connect', 'continue'), { type: 'response', found: 'given' }],
    'answered',
    [],
  ],
  [
    [
      { type: 'auth', found: 'proxied' },
      done('connect', 'continue'),
      { type: 'response', found: 'given' },
      done('answer', 'err'),
    ],
    'anonymous',
    ['pass err'],
  ],
  [
    [{ type: 'auth', found: 'proxied' }, failed('connect', new GatewayError('proxy-target'))],
    'anonymous',
    [`-ERR [AUTH] ${new GatewayError('proxy-target').message}`],
  ],
  [[...elsewhere, { type: 'remoteLost' }], 'ended', []],
  [[{ type: 'utf8' }], 'anonymous', ['-ERR That command is not valid now']],
  [[...elsewhere, { type: 'utf8' }], 'proxied', ['-ERR That command is not valid now']],
  [[...elsewhere, { type: 'unknown' }], 'proxied', ['-ERR Unknown command']],
  [[...elsewhere, asked], 'relaying', []],
  [[...elsewhere, asked, done('relay', { status: 'err', rest: false })], 'proxied', ['pass err']],
  [[...elsewhere, asked, done('relay', { status: 'ok', rest: false })], 'proxied', ['pass ok']],
  [[...elsewhere, asked, done('relay', { status: 'ok', rest: true })], 'passing', ['pass ok']],
  [[...elsewhere, asked, done('relay', { status: 'ok', rest: true }), done('passOn')], 'proxied', ['end']],
  [
    [
      ...elsewhere,
      asked,
      done('relay', { status: 'ok', rest: true }),
      failed('passOn', new GatewayError('storage-full')),
    ],
    'ended',
    ['breakOff'],
  ],
  [
    [...elsewhere, asked, failed('relay', new GatewayError('storage-full'))],
    'proxied',
    ['-ERR [SYS/TEMP] Insufficient storage, try again later'],
  ],
  [
    [...elsewhere, asked, failed('relay', new GatewayError('proxy-lost'))],
    'ended',
    [`-ERR [SYS/TEMP] ${new GatewayError('proxy-lost').message}`],
  ],
  [[...elsewhere, quit], 'leaving', []],
  [[...elsewhere, quit, done('relay', { status: 'ok', rest: false })], 'ended', ['pass ok']],
]

const table: readonly (readonly [events: readonly AnyEvent[], state: string, replies: readonly string[]])[] = [
  [[], 'anonymous', ['+OK gateway.example Sealpost POP3 service ready']],
  [[{ type: 'pass', found: 'given' }], 'anonymous', ['-ERR USER comes before PASS']],
  [[{ type: 'retr', message: undefined }], 'anonymous', ['-ERR That command is not valid now']],
  [[{ type: 'user', found: 'given' }], 'named', ['+OK Send the password']],
  [[{ type: 'utf8' }], 'anonymous', ['+OK UTF-8']],
  [[{ type: 'user', found: 'given' }, { type: 'utf8' }], 'named', ['+OK UTF-8']],
  [[...login, { type: 'utf8' }], 'open', ['-ERR That command is not valid now']],
  [
    [{ type: 'user', found: 'proxied' }],
    'anonymous',
    [
      '-ERR [AUTH] This gateway does not connect mail clients to other servers: its administrator has not turned that on',
    ],
  ],
  [
    [
      { type: 'user', found: 'given' },
      { type: 'pass', found: 'given' },
    ],
    'unlocking',
    [],
  ],
  [[{ type: 'user', found: 'given' }, { type: 'stat' }], 'named', ['-ERR That command is not valid now']],
  [[{ type: 'auth', found: 'awaited' }], 'challenged', ['+ ']],
  [[{ type: 'auth', found: 'otherMechanism' }], 'anonymous', ['-ERR Only SASL PLAIN is offered']],
  [
    [
      { type: 'auth', found: 'awaited' },
      { type: 'response', found: 'given' },
    ],
    'unlocking',
    [],
  ],
  [
    [
      { type: 'auth', found: 'awaited' },
      { type: 'response', found: 'cancelled' },
    ],
    'anonymous',
    ['-ERR Authentication cancelled'],
  ],
  [login, 'open', ['+OK 3 messages (300 octets)']],
  [
    [{ type: 'auth', found: 'given' }, done('unlock', { count: 3, octets: 300, shut: 2 })],
    'open',
    ['+OK 3 messages (300 octets); 2 more open with another password'],
  ],
  [
    [{ type: 'auth', found: 'given' }, done('unlock', { count: 3, octets: 300, shut: 1, damaged: 4 })],
    'open',
    ['+OK 3 messages (300 octets); 1 more opens with another password; 4 more cannot be opened, ask the administrator'],
  ],
  [
    [{ type: 'auth', found: 'given' }, failed('unlock', new GatewayError('maildrop-in-use'))],
    'anonymous',
    ['-ERR [IN-USE] Another session holds this maildrop'],
  ],
  [
    [{ type: 'auth', found: 'given' }, failed('unlock', new Error('a secret of the inside'))],
    'anonymous',
    ['-ERR [SYS/TEMP] Internal error, try again later'],
  ],
  [[...login, { type: 'stat' }], 'open', ['+OK 3 300']],
  [[...login, { type: 'listOne', message: message(2) }], 'open', ['+OK 2 100']],
  [[...login, { type: 'uidlOne', message: message(2) }], 'open', [`+OK 2 ${uid}`]],
  [[...login, { type: 'retr', message: undefined }], 'open', ['-ERR No such message']],
  [[...login, { type: 'retr', message: message(1) }], 'fetching', []],
  [[...login, { type: 'retr', message: message(1) }, done('fetch', { whole: true })], 'open', ['+OK 100 octets']],
  [[...login, ...sending], 'sending', ['+OK 100 octets']],
  [[...login, ...sending, done('send')], 'open', []],
  [
    [...login, { type: 'top', message: message(1), lines: 2 }, failed('fetch', new GatewayError('object-missing'))],
    'open',
    ['-ERR [SYS/PERM] The sealed message is missing from the vault'],
  ],
  [[...login, { type: 'list' }], 'listing', ['+OK 3 messages (300 octets)']],
  [[...login, { type: 'list' }, done('enumerate')], 'open', []],
  [[...login, { type: 'user', found: 'given' }], 'open', ['-ERR That command is not valid now']],
  [[...login, { type: 'quit' }], 'ended', ['+OK Bye']],
  [[...login, { type: 'dele', message: message(2) }, { type: 'quit' }], 'updating', []],
  [[...login, { type: 'dele', message: message(2) }, { type: 'quit' }, done('update')], 'ended', ['+OK Bye']],
  [[{ type: 'oversized' }], 'ended', ['-ERR Line too long']],
]

for (const [events, value, replies] of table)
  test(`after ${events.map(({ type }) => type).join(', ') || 'nothing'} it is ${value} and says ${replies.join('') || 'nothing'}`, () => {
    const result = after(events)
    assert.is(result.value, value)
    assert.equal(result.replies, replies)
  })

const givenBy = (emitted: readonly Pop3Emitted[]) =>
  emitted.flatMap((one) => {
    if (one.type === 'reply') return one.lines
    if (one.type === 'pass') return [`pass ${one.status}`]
    return one.type === 'end' || one.type === 'breakOff' ? [one.type] : []
  })

for (const [events, value, given] of proxiedTable)
  test(`with the proxy on, after ${events.map(({ type }) => type).join(', ')} it is ${value} and gives ${given.join('') || 'nothing'}`, () => {
    const result = after(events, { proxy: true })
    assert.is(result.value, value)
    assert.equal(givenBy(result.emitted), given)
  })

test('the third login that another server refuses ends the session', () => {
  const wrong: AnyEvent[] = [{ type: 'auth', found: 'proxied' }, done('connect', 'err')]
  const third = after([...wrong, ...wrong, ...wrong], { proxy: true })
  assert.is(third.value, 'ended')
  assert.is(third.context.outcome, 'refused')
  assert.equal(givenBy(third.emitted), ['pass err'])
})

test('OAuth is offered only where the proxy is on', () => {
  assert.ok(after([{ type: 'capa' }]).replies.includes('SASL PLAIN'))
  assert.ok(after([{ type: 'capa' }], { proxy: true }).replies.includes('SASL PLAIN XOAUTH2 OAUTHBEARER'))
})

test('UTF8 is offered and taken only under TLS, and only where no name leads to another server', () => {
  const offered = (start: Partial<typeof input>) => after([{ type: 'capa' }], start).replies.includes('UTF8 USER')
  const taken = (start: Partial<typeof input>) => after([{ type: 'utf8' }], start).replies[0] === '+OK UTF-8'
  for (const [secure, proxy] of [
    [true, false],
    [false, false],
    [true, true],
    [false, true],
  ] as const)
    // prettier-ignore
    for (const is of [offered, taken]) assert.is(is({ secure, proxy }), secure && !proxy)
})

test('before TLS no credentials are taken, whatever the shell says that it found', () => {
  for (const event of [
    { type: 'user', found: 'given' },
    { type: 'auth', found: 'given' },
    { type: 'auth', found: 'awaited' },
    { type: 'user', found: 'unread' },
  ] as const) {
    const { value, replies } = after([event], { secure: false })
    assert.is(value, 'anonymous')
    assert.ok(replies[0]?.startsWith('-ERR'))
  }
})

test('STLS is offered only before TLS, and credentials only after', () => {
  const capabilities = (events: readonly AnyEvent[], secure: boolean) =>
    after([...events, { type: 'capa' }], { secure }).replies
  assert.ok(capabilities([], false).includes('STLS'))
  assert.not.ok(capabilities([], false).some((line) => line === 'USER' || line.startsWith('SASL')))
  const upgraded = capabilities([{ type: 'stls' }, done('upgrade')], false)
  assert.equal(upgraded, capabilities([], true))
  assert.not.ok(upgraded.includes('STLS'))
  assert.ok(upgraded.includes('USER') && upgraded.includes('SASL PLAIN'))
  assert.equal(after([{ type: 'stls' }]).replies, ['-ERR That command is not valid now'])
})

test('a deletion hides the message until RSET, and counts in STAT', () => {
  const deleted: AnyEvent[] = [...login, { type: 'dele', message: message(2, 50) }]
  assert.equal(after([...deleted, { type: 'stat' }]).replies, ['+OK 2 250'])
  for (const type of ['retr', 'dele', 'listOne', 'uidlOne'] as const)
    assert.equal(after([...deleted, { type, message: message(2, 50) }]).replies, ['-ERR No such message'])
  assert.equal(after([...deleted, { type: 'rset' }, { type: 'stat' }]).replies, ['+OK 3 300'])
  assert.is(after([...deleted, { type: 'rset' }, { type: 'quit' }]).value, 'ended')
})

test('QUIT is acknowledged only after the deletions are', () => {
  const quitting: AnyEvent[] = [...login, { type: 'dele', message: message(1) }, { type: 'quit' }]
  assert.equal(after(quitting).replies, [])
  const refused = after([...quitting, failed('update', new GatewayError('outcome-unknown'))])
  assert.equal(refused.replies, ['-ERR [SYS/TEMP] Could not be confirmed, try again later'])
  assert.is(refused.context.outcome, 'failed')
})

test('a peer that leaves during the commit does not undo it', () => {
  const left: AnyEvent[] = [
    ...login,
    { type: 'dele', message: message(1) },
    { type: 'quit' },
    { type: 'closed', outcome: 'lost' },
  ]
  assert.is(after(left).value, 'updating')
  assert.is(after([...left, done('update')]).context.outcome, 'quit')
})

test('a message that fails half-way breaks the connection and gets no reply', () => {
  const { value, emitted, context } = after([...login, ...sending, failed('send', new GatewayError('object-corrupt'))])
  assert.is(value, 'ended')
  assert.equal(
    emitted.map(({ type }) => type),
    ['breakOff', 'failed'],
  )
  assert.is(context.outcome, 'failed')
})

test('a command in the middle of a reply is never answered: it ends the session', () => {
  const { value, replies, context } = after([...login, ...sending, { type: 'stat' }])
  assert.is(value, 'ended')
  assert.equal(replies, [])
  assert.is(context.outcome, 'failed')
})

test('the third refused login ends the session', () => {
  const wrong: AnyEvent[] = [{ type: 'auth', found: 'given' }, failed('unlock', new GatewayError('password-wrong'))]
  assert.is(after([...wrong, ...wrong]).value, 'anonymous')
  const third = after([...wrong, ...wrong, ...wrong])
  assert.is(third.value, 'ended')
  assert.is(third.context.outcome, 'refused')
  assert.equal(third.replies, ['-ERR [AUTH] Wrong user name or password'])
})

test('the last mistake that is allowed ends the session, and messages that do not exist are none', () => {
  const unknown: AnyEvent = { type: 'unknown' }
  assert.is(after([unknown, unknown, unknown]).value, 'anonymous')
  assert.is(after([unknown, unknown, unknown, unknown]).value, 'ended')
  const missing: AnyEvent = { type: 'retr', message: undefined }
  assert.is(after([...login, missing, missing, missing, missing, missing]).value, 'open')
})

const everyEvent: readonly AnyEvent[] = [
  ...(['capa', 'stls', 'utf8', 'quit', 'noop', 'stat', 'list', 'uidl', 'rset', 'unknown', 'oversized'] as const).map(
    (type) => ({
      type,
    }),
  ),
  ...(['unread', 'given', 'proxied', 'malformed'] as const).flatMap((found) => [
    { type: 'user' as const, found },
    { type: 'pass' as const, found },
    { type: 'auth' as const, found },
    { type: 'response' as const, found },
  ]),
  { type: 'auth', found: 'awaited' },
  { type: 'auth', found: 'otherMechanism' },
  { type: 'response', found: 'cancelled' },
  ...(['listOne', 'uidlOne', 'retr', 'dele'] as const).flatMap((type) => [
    { type, message: message(1) },
    { type, message: undefined },
  ]),
  { type: 'top', message: message(1), lines: 1 },
  { type: 'malformed', syntax: 'RETR number' },
  { type: 'closed', outcome: 'lost' },
  { type: 'remoteLost' },
  asked,
  quit,
]
/** What each state's work may come to. */
const outputs: Readonly<Record<string, readonly [work: string, outputs: readonly unknown[]]>> = {
  upgrading: ['upgrade', [undefined]],
  unlocking: ['unlock', [{ count: 3, octets: 300 }]],
  listing: ['enumerate', [undefined]],
  identifying: ['enumerate', [undefined]],
  fetching: ['fetch', [{ whole: true }, { whole: false }]],
  sending: ['send', [undefined]],
  updating: ['update', [undefined]],
  connecting: ['connect', ['ok', 'err', 'continue']],
  answered: ['answer', ['ok', 'err', 'continue']],
  relaying: ['relay', [true, false].map((rest) => ({ status: 'ok', rest }))],
  passing: ['passOn', [undefined]],
  leaving: ['relay', [{ status: 'ok', rest: false }]],
}
const everyResult = (state: string): readonly AnyEvent[] => {
  const [work, results] = outputs[state] ?? []
  if (!work) return []
  return [...(results ?? []).map((output) => done(work, output)), failed(work, new GatewayError('not-written'))]
}

test('from every state that can be reached, every event is answered or ends the session', () => {
  const paths = getShortestPaths(pop3Session, {
    input: { ...input, secure: false, proxy: true, badCommands: 2 },
    events: (state) => [...everyEvent, ...everyResult(state.value)] as Pop3Event[],
    serializeState: ({ value, context }) =>
      JSON.stringify([value, context.secure, context.mistakes, context.deleted.count, context.refusedLogins]),
  })
  const reached = new Set(paths.map(({ state }) => state.value))
  assert.equal([...reached].sort(), Object.keys(pop3Session.states).sort())
  for (const { state } of paths) {
    if (state.status !== 'active') continue
    for (const event of [...everyEvent, ...everyResult(state.value)]) {
      const [next, actions] = transition(pop3Session, state, event as Pop3Event)
      const answered = emittedBy(actions).length > 0
      const moved = next.value !== state.value
      // While a commit runs, only its own result counts.
      assert.ok(answered || moved || state.value === 'updating', `${event.type} vanished in ${state.value}`)
    }
  }
})

test('only states that wait for the peer are ready for it', () => {
  const states = pop3Session.states
  const ready = Object.entries(states)
    .filter(([, { tags }]) => (tags as readonly string[]).includes('ready'))
    .map(([name]) => name)
  assert.equal(ready.sort(), ['anonymous', 'answering', 'challenged', 'named', 'namedElsewhere', 'open', 'proxied'])
})

test.run()
