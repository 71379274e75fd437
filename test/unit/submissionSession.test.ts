import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { PutOff } from '../../src/core/putOff.ts'
import { type ExecutableActionObject, initialTransition, type SnapshotFrom, transition } from 'xstate'
import { noExtensions } from '../../actors/proxiedSmtp.ts'
import { submissionSession } from '../../actors/submissionSession.ts'
import type { SubmissionEffect, SubmissionEvent, SubmissionInput } from '../../actors/submissionSetup.ts'
import type { SubmittedCredentials } from '../../actors/submittedCredentials.ts'
import { stateName } from '../../actors/transcript.ts'
import { type ErrorCode, GatewayError } from '../../src/core/errors.ts'
import { transcriptDigest } from '../../src/core/transcriptDigest.ts'
import { judge } from '../../src/replaySession.ts'
import { anySubmission, liveSubmission, submissionOpenings } from '../support/anyProxiedSmtp.ts'

type State = SnapshotFrom<typeof submissionSession>
type Event = SubmissionEvent

const input: SubmissionInput = {
  domain: 'gateway.example',
  secure: true,
  crowded: false,
  maxSize: 1000,
  maxRecipients: 2,
  maxBadCommands: 3,
}
const { loggedIn, addressed, dataRefused, receiving } = submissionOpenings
const hello: Event = { type: 'hello', extended: true }
const helloed = [hello]
const auth = (found: SubmittedCredentials): Event => ({ type: 'auth', found })
const response = (found: SubmittedCredentials): Event => ({ type: 'response', found })
const remote = (code: number): Event => ({ type: 'remote', code })
const failed = (code: ErrorCode): Event => ({ type: 'failed', error: new GatewayError(code) })
const mail = (of: { size?: number; eightBit?: boolean; smtpUtf8?: boolean; putOff?: PutOff } = {}): Event => ({
  type: 'mail',
  size: 0,
  eightBit: false,
  smtpUtf8: false,
  ...of,
})
const rcpt: Event = { type: 'rcpt', ascii: true }
const plain = (
  type:
    | 'data'
    | 'rset'
    | 'noop'
    | 'vrfy'
    | 'help'
    | 'quit'
    | 'starttls'
    | 'unimplemented'
    | 'http'
    | 'remoteLost'
    | 'closed'
    | 'bdat'
    | 'idle'
    | 'secured',
): Event => ({ type })
const putOff: readonly Event[] = [...loggedIn, mail({ putOff: 'disk-reserve' })]
const welcomed = (extensions = {}): Event => ({
  type: 'welcomed',
  code: 235,
  extensions: { ...noExtensions, ...extensions },
})

const emitted = (actions: readonly ExecutableActionObject[]): SubmissionEffect[] =>
  actions.flatMap((action) =>
    // An emit action's params are what `emit` resolved to.
    action.type === 'xstate.emit' ? [(action.params as { event: SubmissionEffect }).event] : [],
  )
const step = (state: State, event: Event): [State, SubmissionEffect[]] => {
  const [next, actions] = transition(submissionSession, state, event)
  return [next, emitted(actions)]
}
const begun = (changed: Partial<SubmissionInput> = {}) =>
  initialTransition(submissionSession, { ...input, ...changed })[0]
const given = (events: readonly Event[], changed: Partial<SubmissionInput> = {}): State =>
  events.reduce((state, event) => step(state, event)[0], begun(changed))

const shown = (effect: SubmissionEffect) => {
  switch (effect.type) {
    case 'reply':
      return `${effect.code} ${effect.enhanced}`.trim()
    case 'pass':
      return `pass ${effect.code}`
    case 'ask':
      return `ask ${effect.verb}`
    default:
      return effect.type
  }
}
/** What the client and the remote server get to hear, and what is begun; not the counting. */
const told = (effects: readonly SubmissionEffect[]) =>
  effects.filter(({ type }) => !['refused', 'ended', 'failed', 'helloAccepted'].includes(type)).map(shown)

const mailed = [...loggedIn, mail(), remote(250)]
const bereft = [...loggedIn, plain('remoteLost')]
const draining: Event = { type: 'shutdown', now: false }

// prettier-ignore
const table: readonly (readonly [readonly Event[], Event, state: string, ...effects: string[]])[] = [
  [[], hello, 'open.anonymous', '250'],
  [[], auth('given'), 'open.anonymous', '503 5.5.1'],
  [helloed, auth('given'), 'connecting', 'connect'],
  [helloed, auth('awaited'), 'challenged', '334'],
  [helloed, auth('userAwaited'), 'challenged', '334'],
  [helloed, auth('passwordAwaited'), 'challenged', '334'],
  [helloed, auth('malformed'), 'open.anonymous', '501 5.5.2'],
  [helloed, auth('otherMechanism'), 'open.anonymous', '504 5.5.4'],
  [helloed, mail(), 'open.anonymous', '530 5.7.0'],
  [helloed, rcpt, 'open.anonymous', '530 5.7.0'],
  [helloed, plain('data'), 'open.anonymous', '530 5.7.0'],
  [helloed, plain('rset'), 'open.anonymous', '250 2.0.0'],
  [helloed, plain('noop'), 'open.anonymous', '250 2.0.0'],
  [helloed, plain('starttls'), 'open.anonymous', '503 5.5.1'],
  [helloed, plain('quit'), 'ended', '221 2.0.0'],
  [helloed, plain('http'), 'ended', '421 4.7.0'],
  [helloed, draining, 'ended', '421 4.3.2'],
  [[...helloed, auth('awaited')], response('given'), 'connecting', 'connect'],
  [[...helloed, auth('userAwaited')], response('passwordAwaited'), 'challenged', '334'],
  [[...helloed, auth('userAwaited')], response('cancelled'), 'open.anonymous', '501 5.0.0'],
  [[...helloed, auth('awaited')], response('malformed'), 'open.anonymous', '501 5.5.2'],
  [[...helloed, auth('given')], welcomed(), 'open.loggedIn', 'pass 235'],
  [[...helloed, auth('given')], remote(535), 'open.anonymous', 'pass 535'],
  [[...helloed, auth('given')], remote(334), 'answering', 'pass 334'],
  [[...helloed, auth('given')], failed('proxy-certificate'), 'open.anonymous', '535 5.7.8'],
  [[...helloed, auth('given')], failed('proxy-unreachable'), 'open.anonymous', '454 4.7.0'],
  [[...helloed, auth('given')], failed('proxy-lost'), 'ended', '421 4.4.2'],
  [[...helloed, auth('given'), remote(535), auth('given'), remote(535), auth('given')], remote(535), 'ended', 'pass 535'],
  [[...helloed, auth('given'), remote(334)], response('given'), 'connecting', 'respond'],
  [[...helloed, auth('given'), remote(334)], response('cancelled'), 'connecting', 'respond'],
  [loggedIn, auth('given'), 'open.loggedIn', '503 5.5.1'],
  [loggedIn, mail(), 'asking.mail', 'ask mail'],
  [loggedIn, mail({ size: 1001 }), 'open.loggedIn', '552 5.3.4'],
  [loggedIn, mail({ smtpUtf8: true }), 'open.loggedIn', '550 5.6.7'],
  [loggedIn, mail({ eightBit: true }), 'asking.mail', 'ask mail'],
  [[...helloed, auth('given'), welcomed()], mail({ eightBit: true }), 'open.loggedIn', '554 5.6.3'],
  [[...helloed, auth('given'), welcomed({ size: 500 })], mail({ size: 501 }), 'open.loggedIn', '552 5.3.4'],
  [[...helloed, auth('given'), welcomed({ size: 0 })], mail({ size: 501 }), 'asking.mail', 'ask mail'],
  [loggedIn, rcpt, 'open.loggedIn', '503 5.5.1'],
  [loggedIn, plain('data'), 'open.loggedIn', '503 5.5.1'],
  [loggedIn, plain('rset'), 'asking.rset', 'ask rset'],
  [loggedIn, plain('noop'), 'asking.noop', 'ask noop'],
  [loggedIn, plain('vrfy'), 'open.loggedIn', '252 2.5.0'],
  [loggedIn, plain('unimplemented'), 'open.loggedIn', '502 5.5.1'],
  [loggedIn, mail({ putOff: 'disk-reserve' }), 'open.loggedIn', '452 4.3.1'],
  [loggedIn, mail({ putOff: 'too-many-messages' }), 'open.loggedIn', '450 4.7.1'],
  [putOff, rcpt, 'open.loggedIn', '452 4.3.1'],
  [[...putOff, rcpt], plain('data'), 'open.loggedIn', '452 4.3.1'],
  [putOff, mail(), 'asking.mail', 'ask mail'],
  [[...putOff, mail(), remote(550)], rcpt, 'open.loggedIn', '503 5.5.1'],
  [[...putOff, mail({ size: 1001 })], rcpt, 'open.loggedIn', '503 5.5.1'],
  [[...putOff, hello], rcpt, 'open.loggedIn', '503 5.5.1'],
  [[...putOff, plain('rset'), remote(250)], rcpt, 'open.loggedIn', '503 5.5.1'],
  [loggedIn, hello, 'open.loggedIn', '250'],
  [loggedIn, plain('remoteLost'), 'bereft'],
  [loggedIn, draining, 'ended', '421 4.3.2'],
  [[...loggedIn, mail()], remote(250), 'open.transaction.mailed', 'pass 250', 'mailAccepted'],
  [[...loggedIn, mail()], remote(553), 'open.loggedIn', 'pass 553'],
  [[...loggedIn, mail()], failed('proxy-lost'), 'ended', '421 4.4.2'],
  [[...loggedIn, mail()], plain('remoteLost'), 'ended', '421 4.4.2'],
  [mailed, rcpt, 'asking.rcpt', 'ask rcpt'],
  [mailed, { type: 'rcpt', ascii: false }, 'open.transaction.mailed', '553 5.6.7'],
  [mailed, plain('data'), 'open.transaction.mailed', '503 5.5.1'],
  [mailed, mail(), 'open.transaction.mailed', '503 5.5.1'],
  [mailed, hello, 'asking.hello', 'ask rset'],
  [mailed, draining, 'open.transaction.mailed'],
  [[...mailed, hello], remote(250), 'open.loggedIn', '250'],
  [[...mailed, rcpt], remote(250), 'open.transaction.addressed', 'pass 250', 'recipientAccepted'],
  [[...mailed, rcpt], remote(251), 'open.transaction.addressed', 'pass 251', 'recipientAccepted'],
  [[...mailed, rcpt], remote(550), 'open.transaction.mailed', 'pass 550'],
  [[...addressed, rcpt, remote(250)], rcpt, 'open.transaction.addressed', '452 4.5.3'],
  [[...addressed], plain('data'), 'asking.data', 'ask data'],
  [[...addressed], plain('rset'), 'asking.rset', 'ask rset'],
  [[...addressed, plain('rset')], remote(250), 'open.loggedIn', 'pass 250'],
  [[...addressed, plain('data')], remote(354), 'receiving', 'pass 354', 'takeData'],
  [[...addressed, plain('data')], remote(554), 'open.transaction.addressed', 'pass 554'],
  [[...dataRefused], mail(), 'asking.mail', 'ask mail'],
  [[...dataRefused], mail({ size: 1001 }), 'open.transaction.addressed', '552 5.3.4'],
  [[...dataRefused, mail({ size: 1001 })], rcpt, 'open.transaction.addressed', '503 5.5.1'],
  [[...dataRefused, mail({ size: 1001 })], plain('data'), 'open.transaction.addressed', '503 5.5.1'],
  [[...dataRefused, mail({ putOff: 'log-lag' })], rcpt, 'open.transaction.addressed', '450 4.3.2'],
  [[...dataRefused, mail({ putOff: 'log-lag' }), rcpt], plain('data'), 'open.transaction.addressed', '450 4.3.2'],
  [[...dataRefused, mail({ putOff: 'log-lag' })], mail(), 'asking.mail', 'ask mail'],
  [[...dataRefused], rcpt, 'asking.rcpt', 'ask rcpt'],
  [[...dataRefused], plain('data'), 'asking.data', 'ask data'],
  [[...dataRefused, mail()], remote(250), 'open.transaction.mailed', 'pass 250', 'mailAccepted'],
  [[...dataRefused, mail()], remote(503), 'open.transaction.addressed', 'pass 503'],
  [[...helloed, auth('given'), welcomed({ smtpUtf8: true }), mail(), remote(250), rcpt, remote(250), plain('data'), remote(554), mail({ smtpUtf8: true }), remote(503)], { type: 'rcpt', ascii: false }, 'open.transaction.addressed', '553 5.6.7'],
  [[...dataRefused, mail({ smtpUtf8: true })], { type: 'rcpt', ascii: false }, 'open.transaction.addressed', '503 5.5.1'],
  [[...dataRefused, mail(), remote(250)], mail(), 'open.transaction.mailed', '503 5.5.1'],
  [[...receiving], remote(250), 'open.loggedIn', 'pass 250'],
  [[...receiving], remote(554), 'open.loggedIn', 'pass 554'],
  [[...receiving], failed('storage-full'), 'bereft', '452 4.3.1'],
  [[...receiving], failed('relay-unknown'), 'bereft', '451 4.4.2'],
  [[...receiving], failed('proxy-lost'), 'ended', '421 4.4.2'],
  [[...receiving], { type: 'flooded', with: 'message' }, 'ended', '552 5.3.4'],
  [[...receiving], { type: 'shutdown', now: true }, 'ended', '421 4.3.2'],
  [[...receiving], plain('closed'), 'ended'],
  [bereft, mail(), 'ended', '421 4.4.2'],
  [bereft, plain('noop'), 'ended', '421 4.4.2'],
  [bereft, plain('quit'), 'ended', '221 2.0.0'],
  [bereft, plain('idle'), 'ended', '421 4.4.2'],
  [bereft, draining, 'ended', '421 4.3.2'],
]

for (const [events, event, state, ...effects] of table)
  test(`in ${stateName(given(events).value)}, ${JSON.stringify(event)} leads to ${state} with ${effects.join(', ') || 'nothing'}`, () => {
    const [next, done] = step(given(events), event)
    assert.equal([stateName(next.value), ...told(done)], [state, ...effects])
  })

const inClear: readonly (readonly [Event, string])[] = [
  [auth('unread'), '538 5.7.11'],
  [auth('given'), '538 5.7.11'],
  [mail(), '530 5.7.0'],
  [rcpt, '530 5.7.0'],
  [plain('data'), '530 5.7.0'],
]
for (const [event, reply] of inClear)
  test(`without TLS, ${JSON.stringify(event)} is refused with ${reply}`, () => {
    const [next, done] = step(given(helloed, { secure: false }), event)
    assert.equal([stateName(next.value), ...told(done)], ['open.anonymous', reply])
  })

const offersAfter = (events: readonly Event[], changed: Partial<SubmissionInput> = {}) => {
  const [, effects] = step(given(events, changed), hello)
  return effects.flatMap((effect) => (effect.type === 'reply' ? effect.lines : []))
}

test('EHLO offers STARTTLS and no AUTH before TLS, AUTH after it, and after the login what both sides can', () => {
  const [name, base] = ['gateway.example', 'PIPELINING']
  assert.equal(offersAfter([], { secure: false }), [
    name,
    base,
    'SIZE 1000',
    'STARTTLS',
    '8BITMIME',
    'ENHANCEDSTATUSCODES',
  ])
  assert.equal(offersAfter([]), [
    name,
    base,
    'SIZE 1000',
    'AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER',
    '8BITMIME',
    'ENHANCEDSTATUSCODES',
  ])
  const all = { size: 700, eightBit: true, smtpUtf8: true, dsn: true }
  assert.equal(offersAfter([...helloed, auth('given'), welcomed(all)]), [
    name,
    base,
    'SIZE 700',
    '8BITMIME',
    'SMTPUTF8',
    'DSN',
    'ENHANCEDSTATUSCODES',
  ])
  assert.equal(offersAfter([...helloed, auth('given'), welcomed({ size: 5000 })]), [
    name,
    base,
    'SIZE 1000',
    'ENHANCEDSTATUSCODES',
  ])
})

test('what was said before TLS is forgotten', () => {
  const [state, effects] = step(given([hello, plain('starttls'), plain('secured')], { secure: false }), auth('given'))
  assert.equal([stateName(state.value), ...told(effects)], ['open.anonymous', '503 5.5.1'])
})

test('no remote server is reached for without TLS, and none is asked before it has taken the login', () =>
  fc.assert(
    fc.property(anySubmission, ([drawn, opening, events, last]) => {
      let state = begun(drawn)
      let [isSecure, isLoggedIn] = [drawn.secure, false]
      for (const event of [...opening, ...events, last]) {
        if (state.status !== 'active') return
        const [next, effects] = step(state, event)
        if (stateName(state.value) === 'securing' && event.type === 'secured') isSecure = true
        for (const { type } of effects) {
          if (type === 'connect') assert.ok(isSecure)
          if (type === 'ask' || type === 'takeData') assert.ok(isLoggedIn)
        }
        if (event.type === 'welcomed' && ['connecting', 'answering'].includes(stateName(state.value))) isLoggedIn = true
        state = next
      }
    }),
    { numRuns: 2000 },
  ))

test('whatever happens in a submission session, its transcript drives the machine through the same states', () =>
  fc.assert(
    fc.property(anySubmission, ([drawn, opening, events, last]) => {
      const { sessionId, transcript, outcome } = liveSubmission(drawn, [...opening, ...events, last])
      const closed = { outcome, octetsIn: 0, octetsOut: 0, transcript, transcriptSha256: transcriptDigest(transcript) }
      const { verdict, because } = judge(sessionId, closed)
      assert.is(verdict, 'consistent', `${because}\n${transcript}`)
    }),
    { numRuns: 500 },
  ))

test('commands that are about no message are answered, and beyond their number end the session as those without sense do', () => {
  const few = { maxIdleCommands: 3, maxBadCommands: 1 }
  const after = (...events: readonly Event[]) => stateName(given([...loggedIn, ...events], few).value)
  const [noop, rset] = [plain('noop'), plain('rset')]
  const idle = [noop, remote(250), rset, remote(250)]
  assert.is(after(...idle, plain('vrfy')), 'open.loggedIn')
  assert.is(after(...idle, plain('vrfy'), plain('help')), 'ended')
  assert.is(after(...idle, hello, noop, remote(250)), 'ended')
  const message = [mail(), remote(250), rcpt, remote(250), plain('data'), remote(354), remote(250)]
  assert.is(after(...idle, ...message, ...idle, plain('vrfy')), 'open.loggedIn')
})

test('BDAT, which is not offered, is not implemented, and what follows it is not taken for commands', () => {
  for (const events of [[hello], loggedIn, addressed]) {
    const [state, effects] = step(given(events), plain('bdat'))
    assert.is(state.status, 'done')
    const codes = effects.flatMap((effect) => (effect.type === 'reply' ? `${effect.code} ${effect.enhanced}` : []))
    assert.equal(codes, ['502 5.5.1', '421 4.7.0'])
  }
})

test.run()
