import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type ExecutableActionObject, initialTransition, type SnapshotFrom, transition } from 'xstate'
import { smtpProxy } from '../../actors/smtpProxy.ts'
import type { SmtpProxyEffect, SmtpProxyEvent, SmtpProxyInput } from '../../actors/smtpProxySetup.ts'
import { GatewayError } from '../../src/core/errors.ts'
import type { MessageId } from '../../src/core/ids.ts'
import { transcriptDigest } from '../../src/core/transcriptDigest.ts'
import { judge } from '../../src/replaySession.ts'
import { anySmtpProxy, liveSmtpProxy, proxyOpenings } from '../support/anyProxiedSmtp.ts'

type State = SnapshotFrom<typeof smtpProxy>
type Event = SmtpProxyEvent

const input: SmtpProxyInput = { secure: true, mechanism: 'PLAIN', initial: true }
const { greeted, throughTls, loggedIn, relaying } = proxyOpenings
const replied = (code: number): Event => ({ type: 'replied', code })
const asked = (verb: 'mail' | 'rcpt' | 'data' | 'rset' | 'noop'): Event => ({ type: 'asked', verb })
const offered = (...mechanisms: ('PLAIN' | 'LOGIN' | 'XOAUTH2' | 'OAUTHBEARER')[]): Event => ({
  type: 'offered',
  starttls: false,
  mechanisms,
})
const durable: Event = { type: 'durable', messageId: 'the-message' as MessageId }
const unsealed: Event = { type: 'unsealed', error: new GatewayError('storage-full') }
const plain = (
  type: 'secured' | 'answer' | 'bodyEnded' | 'settled' | 'silent' | 'nonsense' | 'closed' | 'left' | 'stopped',
): Event => ({ type })

const emitted = (actions: readonly ExecutableActionObject[]): SmtpProxyEffect[] =>
  actions.flatMap((action) =>
    // An emit action's params are what `emit` resolved to.
    action.type === 'xstate.emit' ? [(action.params as { event: SmtpProxyEffect }).event] : [],
  )

const step = (state: State, event: Event): [State, SmtpProxyEffect[]] => {
  const [next, actions] = transition(smtpProxy, state, event)
  return [next, emitted(actions)]
}
const begun = (changed: Partial<SmtpProxyInput> = {}) => initialTransition(smtpProxy, { ...input, ...changed })[0]
const given = (events: readonly Event[], changed: Partial<SmtpProxyInput> = {}): State =>
  events.reduce((state, event) => step(state, event)[0], begun(changed))

const shown = (effect: SmtpProxyEffect) => {
  switch (effect.type) {
    case 'say':
      return `say ${effect.what}`
    case 'authenticate':
    case 'loggedIn':
      return `${effect.type} ${effect.mechanism}`
    case 'loginRefused':
      return `${effect.type} ${effect.code}`
    case 'pass':
      return `pass ${effect.code}`
    case 'fail':
      return `fail ${effect.error.code}`
    case 'settle':
      return `settle ${effect.outcome} ${effect.code}`
    case 'withdraw':
      return `withdraw ${effect.code}`
    case 'ended':
      return effect.outcome
    default:
      return effect.type
  }
}

const holding = [...relaying, plain('bodyEnded')]
const ending = [...holding, durable]
const settlingAccepted = [...ending, replied(250)]
const settlingSilent = [...ending, plain('silent')]

// prettier-ignore
const table: readonly (readonly [Event[], Event, state: string, ...effects: string[]])[] = [
  [[], replied(220), 'inquiring', 'say ehlo'],
  [[], replied(554), 'ended', 'pass 554', 'say quit', 'refused'],
  [[], replied(250), 'ended', 'fail proxy-lost', 'failed'],
  [[], plain('nonsense'), 'ended', 'fail proxy-lost', 'failed'],
  [[], plain('silent'), 'ended', 'fail proxy-lost', 'timeout'],
  [[], plain('closed'), 'ended', 'fail proxy-lost', 'lost'],
  [[], plain('left'), 'ended', 'lost'],
  [[], plain('stopped'), 'ended', 'shutdown'],
  [[replied(220)], offered('PLAIN', 'LOGIN'), 'authenticating', 'authenticate PLAIN'],
  [[replied(220)], offered('LOGIN'), 'authenticating', 'authenticate LOGIN'],
  [[replied(220)], offered('XOAUTH2'), 'ended', 'fail proxy-mechanism', 'say quit', 'failed'],
  [[replied(220)], offered(), 'ended', 'fail proxy-mechanism', 'say quit', 'failed'],
  [[replied(220)], replied(502), 'ended', 'pass 502', 'say quit', 'refused'],
  [[...greeted], replied(235), 'idle', 'loggedIn PLAIN', 'pass 235'],
  [[...greeted], replied(535), 'ended', 'loginRefused 535', 'pass 535', 'say quit', 'refused'],
  [[...greeted], replied(454), 'ended', 'loginRefused 454', 'pass 454', 'say quit', 'refused'],
  [[...greeted], replied(334), 'challenged', 'pass 334'],
  [[...greeted, replied(334)], plain('answer'), 'authenticating', 'say answer'],
  [[...greeted, replied(334), plain('answer'), replied(334), plain('answer'), replied(334), plain('answer')], replied(334), 'ended', 'fail proxy-lost', 'failed'],
  [[replied(220), offered('LOGIN')], replied(334), 'authenticating', 'say user'],
  [[replied(220), offered('LOGIN'), replied(334)], replied(334), 'authenticating', 'say password'],
  [[...loggedIn], asked('mail'), 'asking', 'say mail'],
  [[...loggedIn], asked('data'), 'beginning', 'say data'],
  [[...loggedIn], plain('closed'), 'ended', 'lost', 'lost'],
  [[...loggedIn], replied(421), 'ended', 'lost', 'lost'],
  [[...loggedIn], plain('left'), 'ended', 'say quit', 'quit'],
  [[...loggedIn], plain('stopped'), 'ended', 'say quit', 'shutdown'],
  [[...loggedIn, asked('mail')], replied(250), 'idle', 'pass 250'],
  [[...loggedIn, asked('mail')], replied(550), 'idle', 'pass 550'],
  [[...loggedIn, asked('mail')], replied(354), 'ended', 'fail proxy-lost', 'failed'],
  [[...loggedIn, asked('mail')], plain('silent'), 'ended', 'fail proxy-lost', 'timeout'],
  [[...loggedIn, asked('data')], replied(354), 'relaying', 'relay', 'pass 354'],
  [[...loggedIn, asked('data')], replied(554), 'idle', 'pass 554'],
  [[...loggedIn, asked('data')], replied(250), 'ended', 'fail proxy-lost', 'failed'],
  [[...relaying], plain('bodyEnded'), 'holding'],
  [[...relaying], durable, 'ended', 'withdraw 451', 'fail proxy-lost', 'failed'],
  [[...relaying], plain('silent'), 'ended', 'withdraw 451', 'fail proxy-lost', 'timeout'],
  [[...relaying], unsealed, 'ended', 'withdraw 451', 'fail storage-full', 'failed'],
  [[...relaying], replied(421), 'ended', 'withdraw 421', 'pass 421', 'lost', 'failed'],
  [[...relaying], replied(250), 'ended', 'withdraw 451', 'fail proxy-lost', 'failed'],
  [[...relaying], plain('closed'), 'ended', 'withdraw 451', 'fail proxy-lost', 'lost'],
  [[...relaying], plain('left'), 'ended', 'withdraw 451', 'lost'],
  [[...relaying], plain('stopped'), 'ended', 'withdraw 451', 'shutdown'],
  [holding, durable, 'ending', 'endData'],
  [holding, unsealed, 'ended', 'withdraw 451', 'fail storage-full', 'failed'],
  [holding, plain('silent'), 'ended', 'withdraw 451', 'fail storage-failed', 'timeout'],
  [holding, plain('left'), 'ended', 'withdraw 451', 'lost'],
  [holding, replied(552), 'ended', 'withdraw 552', 'pass 552', 'lost', 'failed'],
  [holding, plain('closed'), 'ended', 'withdraw 451', 'fail proxy-lost', 'lost'],
  [ending, replied(250), 'settling', 'settle accepted 250'],
  [ending, replied(554), 'settling', 'settle refused 554'],
  [ending, replied(451), 'settling', 'settle refused 451'],
  [ending, replied(354), 'settling', 'settle silent 0'],
  [ending, plain('silent'), 'settling', 'settle silent 0'],
  [ending, plain('closed'), 'settling', 'settle silent 0'],
  [ending, plain('nonsense'), 'settling', 'settle silent 0'],
  [ending, plain('stopped'), 'settling', 'settle silent 0'],
  [ending, plain('left'), 'ending'],
  [settlingAccepted, plain('settled'), 'idle', 'pass 250'],
  [settlingAccepted, plain('closed'), 'settling'],
  [[...settlingAccepted, plain('closed')], plain('settled'), 'ended', 'pass 250', 'lost', 'lost'],
  [[...settlingAccepted, plain('left')], plain('settled'), 'ended', 'say quit', 'lost'],
  [settlingSilent, plain('settled'), 'ended', 'fail relay-unknown', 'failed'],
]

for (const [events, event, state, ...effects] of table)
  test(`in ${given(events).value}, ${JSON.stringify(event)} leads to ${state} with ${effects.join(', ') || 'nothing'}`, () => {
    const [next, done] = step(given(events), event)
    assert.equal([next.value, ...done.map(shown)], [state, ...effects])
  })

test('without TLS nothing but EHLO and STARTTLS is said, and what was offered before it counts for nothing', () => {
  assert.is(given([...throughTls], { secure: false }).value, 'authenticating')
  const offeredInClear = given([replied(220), offered('PLAIN')], { secure: false })
  assert.is(offeredInClear.value, 'ended')
  for (const [code, told] of [
    [502, 'fail proxy-no-tls'],
    [454, 'fail proxy-unreachable'],
  ] as const) {
    const asked = given([replied(220), { type: 'offered', starttls: true, mechanisms: ['PLAIN'] }], { secure: false })
    const [state, effects] = step(asked, replied(code))
    assert.equal([state.value, ...effects.map(shown)], ['ended', told, 'say quit', 'failed'])
  }
})

const spoken = (secure: boolean, events: readonly Event[]) => {
  let state = begun({ secure })
  const told: (SmtpProxyEffect | Event)[] = []
  for (const event of events) {
    if (state.status !== 'active') break
    told.push(event)
    const [next, effects] = step(state, event)
    told.push(...effects)
    state = next
  }
  return told
}

test('the end of a message is never sent before its copy is durable', () =>
  fc.assert(
    fc.property(anySmtpProxy, ([{ secure }, opening, events]) => {
      let isDurable = false
      for (const { type } of spoken(secure, [...opening, ...events])) {
        if (type === 'relay') isDurable = false
        if (type === 'durable') isDurable = true
        if (type === 'endData') assert.ok(isDurable)
      }
    }),
    { numRuns: 2000 },
  ))

test('a message whose end was sent is settled once, and one whose end was not is withdrawn', () =>
  fc.assert(
    fc.property(anySmtpProxy, ([{ secure }, opening, events]) => {
      const told = spoken(secure, [...opening, ...events]).map(({ type }) => type)
      const open = { relay: 0, endData: 0, settle: 0, withdraw: 0 }
      for (const type of told) if (type in open) open[type as keyof typeof open] += 1
      assert.ok(open.settle <= open.endData)
      assert.ok(open.endData + open.withdraw <= open.relay)
      if (told.includes('ended')) assert.is(open.endData + open.withdraw, open.relay)
      if (told.includes('ended')) assert.is(open.settle, open.endData)
    }),
    { numRuns: 2000 },
  ))

test('no credentials are said before TLS is active', () =>
  fc.assert(
    fc.property(anySmtpProxy, ([{ secure }, opening, events]) => {
      let isSecure = secure
      for (const one of spoken(secure, [...opening, ...events])) {
        if (one.type === 'secured') isSecure = true
        if (one.type === 'authenticate') assert.ok(isSecure)
        if (one.type === 'say' && !['ehlo', 'starttls', 'quit'].includes(one.what)) assert.ok(isSecure)
      }
    }),
    { numRuns: 2000 },
  ))

test('whatever happens on a proxy connection, its transcript drives the machine through the same states', () =>
  fc.assert(
    fc.property(anySmtpProxy, ([input, opening, events]) => {
      const { sessionId, transcript, outcome } = liveSmtpProxy(input, [...opening, ...events])
      const closed = { outcome, octetsIn: 0, octetsOut: 0, transcript, transcriptSha256: transcriptDigest(transcript) }
      const { verdict, because } = judge(sessionId, closed)
      assert.is(verdict, 'consistent', `${because}\n${transcript}`)
    }),
    { numRuns: 500 },
  ))

test.run()
