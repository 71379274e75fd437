import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { initialTransition, transition } from 'xstate'
import { getShortestPaths } from 'xstate/graph'
import { pop3Proxy } from '../../actors/pop3Proxy.ts'
import type { Capable, Pop3ProxyEmitted, Pop3ProxyEvent, Pop3ProxyInput } from '../../actors/pop3ProxySetup.ts'
import type { Proxied } from '../../actors/proxied.ts'
import { GatewayError } from '../../src/core/errors.ts'

/** What the machine itself is told by the work that it invoked. */
type WorkEvent =
  | { readonly type: `xstate.done.actor.${string}`; readonly output?: unknown }
  | { readonly type: `xstate.error.actor.${string}`; readonly error: unknown }
type AnyEvent = Pop3ProxyEvent | WorkEvent

const input: Pop3ProxyInput = { session: 's', secure: true, mechanism: 'USER' }
const done = (work: string, output?: unknown): WorkEvent => ({ type: `xstate.done.actor.${work}`, output })
const failed = (work: string, error: unknown): WorkEvent => ({ type: `xstate.error.actor.${work}`, error })
const told = (status: string) => done('tell', status)
const asked = (verb: Proxied['verb'], number?: number, lines?: number): AnyEvent => ({
  type: 'asked',
  verb,
  number,
  lines,
})

/** `emit` is the library's own action, which the machine's type of its actions leaves out. */
const emittedBy = (actions: readonly { readonly type: string; readonly params?: unknown }[]) =>
  actions
    .filter(({ type }) => type === 'xstate.emit')
    .map(({ params }) => (params as { readonly event: Pop3ProxyEmitted }).event)

const wordOf = (emitted: Pop3ProxyEmitted) => {
  if (emitted.type === 'pass') return `pass ${emitted.status}`
  return emitted.type === 'fail' ? `fail ${emitted.error.code}` : emitted.type
}

/** What is said to the remote server in a state: its invocation's input. */
const sayingIn = (actions: readonly { readonly type: string; readonly params?: unknown }[]) =>
  actions
    .filter(({ type }) => type === 'xstate.spawnChild')
    .map(({ params }) => (params as { readonly input?: { readonly say?: string } }).input?.say)
    .filter((say) => say !== undefined)

/** The state after the events, and what was emitted by the last of them. */
const after = (events: readonly AnyEvent[], start: Partial<Pop3ProxyInput> = {}) => {
  let [state, actions] = initialTransition(pop3Proxy, { ...input, ...start })
  // Events of work are the library's own and not in the machine's type.
  for (const event of events) [state, actions] = transition(pop3Proxy, state, event as Pop3ProxyEvent)
  return {
    value: state.value,
    context: state.context,
    emitted: emittedBy(actions).map(wordOf),
    says: sayingIn(actions),
  }
}

const can = (...what: readonly string[]): AnyEvent => {
  const capable: Capable = {
    stls: what.includes('stls'),
    user: what.includes('user'),
    mechanisms: what.filter((word) => word === word.toUpperCase()) as Capable['mechanisms'],
  }
  return done('inquire', capable)
}
const greeted = done('hear', 'ok')
const login = [greeted, can('user'), told('ok'), told('ok')]
const retrieving = [...login, asked('retr', 1), done('identify', false), told('ok')]
const deleting = [...login, asked('dele', 1), done('identify', false), told('ok')]

type Row = readonly [
  events: readonly AnyEvent[],
  state: string,
  emitted: readonly string[],
  start?: Partial<Pop3ProxyInput>,
]
const table: readonly Row[] = [
  [[], 'greeting', []],
  [[done('hear', 'err')], 'ended', ['pass err']],
  [[greeted], 'inquiring', []],
  [[failed('hear', new GatewayError('proxy-lost'))], 'ended', ['fail proxy-lost']],
  [[greeted, can('user')], 'naming', []],
  [login, 'idle', ['loggedIn', 'pass ok']],
  [[greeted, can('user'), told('err')], 'ended', ['pass err']],
  [[greeted, can('user'), told('ok'), told('err')], 'ended', ['pass err']],
  // PLAIN and USER stand for each other, and nothing stands for the others.
  [[greeted, can('PLAIN')], 'authenticating', []],
  [[greeted, can('user', 'PLAIN')], 'authenticating', [], { mechanism: 'PLAIN' }],
  [[greeted, can('user')], 'naming', [], { mechanism: 'PLAIN' }],
  [[greeted, can('user', 'PLAIN')], 'ended', ['fail proxy-mechanism'], { mechanism: 'XOAUTH2' }],
  [[greeted, can('user', 'XOAUTH2')], 'ended', ['fail proxy-mechanism'], { mechanism: 'OAUTHBEARER' }],
  // An OAuth failure is a challenge first.
  [[greeted, can('XOAUTH2'), told('continue')], 'responding', [], { mechanism: 'XOAUTH2' }],
  [
    [greeted, can('XOAUTH2'), told('continue'), told('continue')],
    'challenged',
    ['pass continue'],
    { mechanism: 'XOAUTH2' },
  ],
  [
    [greeted, can('XOAUTH2'), told('continue'), told('continue'), { type: 'answer' }, told('err')],
    'ended',
    ['pass err'],
    { mechanism: 'XOAUTH2' },
  ],
  // No credentials without TLS.
  [[greeted, can('user', 'PLAIN')], 'ended', ['fail proxy-no-tls'], { secure: false }],
  [[greeted, can('stls', 'user')], 'consenting', [], { secure: false }],
  [[greeted, can('stls', 'user'), told('err')], 'ended', ['fail proxy-no-tls'], { secure: false }],
  [[greeted, can('stls', 'user'), told('ok'), done('upgrade')], 'inquiring', [], { secure: false }],
  [
    [greeted, can('stls'), told('ok'), failed('upgrade', new GatewayError('proxy-certificate'))],
    'ended',
    ['fail proxy-certificate'],
    { secure: false },
  ],
  [[...login, asked('stat')], 'relaying', []],
  [[...login, asked('stat'), told('ok')], 'idle', ['pass ok']],
  [[...login, asked('other'), told('err')], 'idle', ['pass err']],
  [[...login, asked('stat'), told('continue')], 'ended', ['fail proxy-lost']],
  [[...login, asked('uidl'), told('ok')], 'listing', []],
  [[...login, asked('uidl'), told('ok'), done('list')], 'idle', ['release']],
  [retrieving, 'taking', []],
  [[...retrieving, done('take', 'whole')], 'holding', []],
  [[...retrieving, done('take', 'whole'), done('hold')], 'idle', ['release']],
  [[...retrieving, done('take', 'same')], 'idle', ['release']],
  [[...retrieving, done('take', 'partial')], 'ended', ['fail proxy-lost']],
  [
    [...retrieving, done('take', 'whole'), failed('hold', new GatewayError('storage-full'))],
    'idle',
    ['fail storage-full'],
  ],
  [[...retrieving, failed('take', new GatewayError('proxy-lost'))], 'ended', ['fail proxy-lost']],
  [[...login, asked('top', 1, 0), done('identify', false), told('ok'), done('take', 'partial')], 'idle', ['release']],
  [[...login, asked('top', 1, 9), done('identify', false), told('ok'), done('take', 'whole')], 'holding', []],
  [[...login, asked('dele', 1), done('identify', true)], 'deleting', []],
  [deleting, 'copying', []],
  [[...deleting, done('take', 'whole')], 'keeping', []],
  [[...deleting, done('take', 'whole'), failed('hold', new GatewayError('not-written'))], 'idle', ['fail not-written']],
  [[...deleting, done('take', 'whole'), done('hold')], 'deleting', []],
  [[...deleting, done('take', 'whole'), done('hold'), told('ok')], 'idle', ['pass ok']],
  [[...login, asked('dele', 9), done('identify', false), told('err')], 'idle', ['pass err']],
  [[...deleting, done('take', 'same')], 'deleting', []],
  [[...login, asked('quit'), told('ok')], 'ended', ['pass ok']],
  [[...login, asked('quit'), told('err')], 'ended', ['pass err']],
  [[...login, asked('retr')], 'ended', []],
  [[...retrieving, { type: 'closed', outcome: 'lost' }], 'ended', []],
]

const nameOf = (event: AnyEvent) => ('output' in event ? `${event.type} ${JSON.stringify(event.output)}` : event.type)
for (const [events, value, emitted, start] of table)
  test(`${JSON.stringify(start ?? {})} after ${events.map(nameOf).join(', ') || 'nothing'} it is ${value} and gives ${emitted.join(', ') || 'nothing'}`, () => {
    const result = after(events, start)
    assert.is(result.value, value)
    assert.equal(result.emitted, emitted)
  })

test('what it could do before TLS is forgotten: it is asked again', () => {
  const upgraded = [greeted, can('stls', 'user'), told('ok'), done('upgrade'), can()]
  assert.equal(after(upgraded, { secure: false }).emitted, ['fail proxy-mechanism'])
})

const commands = [
  asked('stat'),
  asked('uidl'),
  asked('retr', 1),
  asked('top', 1, 3),
  asked('dele', 1),
  asked('quit'),
  { type: 'answer' },
  { type: 'closed', outcome: 'lost' },
] as const satisfies readonly AnyEvent[]
const failures = (work: string) =>
  [new GatewayError('proxy-lost'), new GatewayError('storage-full')].map((e) => failed(work, e))
const statuses = ['ok', 'err', 'continue'].map((status) => [done('hear', status), told(status)]).flat()
const everyEvent: readonly AnyEvent[] = [
  ...commands,
  ...statuses,
  ...[can(), can('user'), can('stls', 'user'), can('PLAIN', 'XOAUTH2')],
  ...[true, false].map((recorded) => done('identify', recorded)),
  ...['whole', 'same', 'partial'].map((taken) => done('take', taken)),
  ...['upgrade', 'list', 'hold'].map((work) => done(work)),
  ...['hear', 'tell', 'inquire', 'identify', 'take', 'upgrade', 'list', 'hold'].flatMap(failures),
]

/** The work whose end a state waits for; undefined where it waits for the client. */
const workOf = (state: string): string | undefined => {
  const { invoke } = pop3Proxy.states[state as never] as { invoke: readonly { readonly id: string }[] }
  return invoke[0]?.id
}
const mayHappen = (state: string, { type }: AnyEvent) =>
  !type.startsWith('xstate.') || type.endsWith(`.actor.${workOf(state) ?? ''}`)

/** Most connections get somewhere. */
const endsIt = (state: string, event: AnyEvent) =>
  event.type.startsWith('xstate.done') === (state === 'idle') ||
  ['closed', 'answer'].includes(event.type) ||
  ('output' in event && event.output === 'continue') ||
  ('verb' in event && event.verb === 'quit')

test('whatever happens, no end of a message is released and none is deleted before a copy is durable', () =>
  fc.assert(
    fc.property(fc.infiniteStream(fc.noBias(fc.nat())), (choices) => {
      let [state] = initialTransition(pop3Proxy, input)
      for (const event of login) [state] = transition(pop3Proxy, state, event as Pop3ProxyEvent)
      let durable = false
      for (let step = 0; step < 80 && state.status === 'active'; step++) {
        const all = everyEvent.filter((event) => mayHappen(state.value, event))
        const going = all.filter((event) => !endsIt(state.value, event))
        const possible = [...all, ...Array.from({ length: 9 }, () => going).flat()]
        const event = possible[(choices.next().value ?? 0) % possible.length]
        if (event?.type === 'asked') durable = false
        const recorded =
          (event?.type === 'xstate.done.actor.identify' && event.output === true) ||
          (event?.type === 'xstate.done.actor.take' && event.output === 'same')
        // What is recorded with this content, a part of it, or what no message is, need not be recorded again.
        const spared = event?.type === 'xstate.done.actor.take' && event.output !== 'whole'
        if (event?.type === 'xstate.done.actor.hold' || spared || state.value === 'listing') durable = true
        const verb = state.context.asked.verb
        const [next, actions] = transition(pop3Proxy, state, event as Pop3ProxyEvent)
        if (emittedBy(actions).some(({ type }) => type === 'release')) assert.ok(durable, `${verb} released`)
        if (next.value === 'deleting' && state.value !== 'deleting')
          assert.ok(event?.type === 'xstate.done.actor.hold' || recorded, 'deleted what is not recorded')
        state = next
      }
    }),
    { numRuns: 1500 },
  ))

test('from every state that can be reached, every event is answered or ends the connection', () => {
  for (const secure of [true, false]) {
    const paths = getShortestPaths(pop3Proxy, {
      input: { ...input, secure, mechanism: 'PLAIN' },
      events: ({ value }) => everyEvent.filter((event) => mayHappen(value, event)) as Pop3ProxyEvent[],
      serializeState: ({ value, context }) => JSON.stringify([value, context.asked.verb, context.challenges]),
    })
    for (const { state } of paths) {
      if (state.status !== 'active') continue
      for (const event of everyEvent.filter((one) => mayHappen(state.value, one))) {
        const [next, actions] = transition(pop3Proxy, state, event as Pop3ProxyEvent)
        assert.ok(
          next.value !== state.value || emittedBy(actions).length > 0,
          `${event.type} vanished in ${state.value}`,
        )
        const pending = state.value !== 'idle' && event.type.startsWith('xstate.')
        if (pending && next.status === 'done')
          assert.ok(emittedBy(actions).length > 0, `${state.value} ends in silence`)
      }
    }
  }
})

test('only states that wait for the client are ready for it', () => {
  const ready = Object.entries(pop3Proxy.states)
    .filter(([, { tags }]) => (tags as readonly string[]).includes('ready'))
    .map(([name]) => name)
  assert.equal(ready.sort(), ['challenged', 'idle'])
})

test.run()
