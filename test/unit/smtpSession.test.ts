import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type ExecutableActionObject, initialTransition, type SnapshotFrom, transition } from 'xstate'
import { getShortestPaths } from 'xstate/graph'
import { smtpSession } from '../../actors/smtpSession.ts'
import type { Found, SmtpEffect, SmtpEvent, SmtpInput } from '../../actors/smtpSetup.ts'
import type { SubmittedCredentials } from '../../actors/submittedCredentials.ts'
import { answerTo, type ErrorCode, GatewayError } from '../../src/core/errors.ts'
import type { MailboxId, SenderId, SessionId } from '../../src/core/ids.ts'
import type { Demand, Proof } from '../../src/core/senderPolicy.ts'

type State = SnapshotFrom<typeof smtpSession>
/** What the peer and the shell may send, and how the work may end. */
type Event =
  | SmtpEvent
  | { type: 'xstate.done.actor.receive'; output: { messageId: string } }
  | { type: 'xstate.done.actor.authenticate'; output: { sender: SenderId } }
  | Failed
type Failed = { type: 'xstate.error.actor.receive' | 'xstate.error.actor.authenticate'; error: unknown }

const input: SmtpInput = {
  sessionId: 'session' as SessionId,
  domain: 'gateway.example',
  secure: false,
  crowded: false,
  maxSize: 1000,
  maxRecipients: 2,
  maxBadCommands: 2,
}
const here = 'mbx-1' as MailboxId
const elsewhere = 'mbx-2' as MailboxId

const hello: Event = { type: 'hello', extended: true }
const mail: Event = { type: 'mail', size: 0, smtpUtf8: false }
const rcpt = (found: Found = { is: 'mailbox', mailboxId: here }, ascii = true): Event => ({
  type: 'rcpt',
  found,
  ascii,
})
const data: Event = { type: 'data' }
const bdat = (size: number, last = false): Event => ({ type: 'bdat', size, last })
const chunkRead: Event = { type: 'chunkRead' }
const received: Event = { type: 'xstate.done.actor.receive', output: { messageId: 'the-message' } }
const failed = (code: ErrorCode): Event => ({ type: 'xstate.error.actor.receive', error: new GatewayError(code) })
const auth = (found: SubmittedCredentials): Event => ({ type: 'auth', found })
const response = (found: SubmittedCredentials): Event => ({ type: 'response', found })
const known: Event = { type: 'xstate.done.actor.authenticate', output: { sender: 'snd-0123456789abcdef' as SenderId } }
const refusedLogin = (code: ErrorCode): Event => ({
  type: 'xstate.error.actor.authenticate',
  error: new GatewayError(code),
})
const plain = (type: 'rset' | 'noop' | 'vrfy' | 'help' | 'quit' | 'starttls' | 'unimplemented' | 'http'): Event => ({
  type,
})

const emitted = (actions: readonly ExecutableActionObject[]): SmtpEffect[] =>
  actions.flatMap((action) =>
    // An emit action's params are what `emit` resolved to.
    action.type === 'xstate.emit' ? [(action.params as { event: SmtpEffect }).event] : [],
  )

const replies = (effects: readonly SmtpEffect[]) =>
  effects.flatMap((effect) => (effect.type === 'reply' ? [`${effect.code} ${effect.enhanced}`.trim()] : []))

const step = (state: State, event: Event): [State, SmtpEffect[]] => {
  const [next, actions] = transition(smtpSession, state, event as SmtpEvent)
  return [next, emitted(actions)]
}

const given = (events: readonly Event[], changed: Partial<SmtpInput> = {}): State => {
  const [initial] = initialTransition(smtpSession, { ...input, ...changed })
  return events.reduce((state, event) => step(state, event)[0], initial)
}

const valueOf = (state: State) => JSON.stringify(state.value).replaceAll(/[{}"]/g, '').replaceAll(':', '.')

const greeted: Event[] = []
const helloed = [hello]
const putOff: Event[] = [hello, { ...mail, putOff: 'disk-reserve' }]
const mailed = [hello, mail]
const addressed = [hello, mail, rcpt()]
const receiving = [hello, mail, rcpt(), data]
const awaiting = [...addressed, bdat(600), chunkRead]
const whole = [...awaiting, bdat(400, true), chunkRead]
const spoilt = [...mailed, bdat(10)]
const draining: Event = { type: 'shutdown', now: false }

// prettier-ignore
const table: readonly (readonly [Event[], Event, state: string, ...replies: string[]])[] = [
  [greeted, hello, 'open.helloed', '250'],
  [greeted, mail, 'open.greeted', '503 5.5.1'],
  [greeted, rcpt(), 'open.greeted', '503 5.5.1'],
  [greeted, data, 'open.greeted', '503 5.5.1'],
  [greeted, plain('rset'), 'open.greeted', '250 2.0.0'],
  [greeted, plain('noop'), 'open.greeted', '250 2.0.0'],
  [greeted, plain('vrfy'), 'open.greeted', '252 2.5.0'],
  [greeted, plain('help'), 'open.greeted', '214 2.0.0'],
  [greeted, plain('quit'), 'ended', '221 2.0.0'],
  [greeted, plain('starttls'), 'securing', '220 2.0.0'],
  [greeted, auth('unread'), 'open.greeted', '502 5.5.1'],
  [greeted, plain('unimplemented'), 'open.greeted', '502 5.5.1'],
  [greeted, plain('http'), 'ended', '421 4.7.0'],
  [greeted, { type: 'malformed', problem: 'unknownCommand' }, 'open.greeted', '500 5.5.1'],
  [greeted, { type: 'secured' }, 'open.greeted', '503 5.5.1'],
  [greeted, { type: 'idle' }, 'ended', '421 4.4.2'],
  [greeted, { type: 'closed' }, 'ended'],
  [greeted, { type: 'flooded', with: 'line' }, 'ended', '421 4.7.0'],
  [greeted, draining, 'ended', '421 4.3.2'],
  [helloed, hello, 'open.helloed', '250'],
  [helloed, mail, 'open.transaction.mailed', '250 2.1.0'],
  [helloed, { type: 'mail', size: 1000, smtpUtf8: false }, 'open.transaction.mailed', '250 2.1.0'],
  [helloed, { type: 'mail', size: 1001, smtpUtf8: false }, 'open.helloed', '552 5.3.4'],
  [helloed, { ...mail, putOff: 'too-many-messages' }, 'open.helloed', '450 4.7.1'],
  [helloed, { ...mail, putOff: 'disk-reserve' }, 'open.helloed', '452 4.3.1'],
  [helloed, { ...mail, putOff: 'bytes-in-flight' }, 'open.helloed', '450 4.3.2'],
  [helloed, { ...mail, putOff: 'log-lag' }, 'open.helloed', '450 4.3.2'],
  [helloed, { ...mail, size: 1001, putOff: 'log-lag' }, 'open.helloed', '552 5.3.4'],
  [putOff, rcpt(), 'open.helloed', '452 4.3.1'],
  [putOff, data, 'open.helloed', '452 4.3.1'],
  [putOff, bdat(10, true), 'open.helloed', '452 4.3.1'],
  [putOff, mail, 'open.transaction.mailed', '250 2.1.0'],
  [[...putOff, plain('rset')], rcpt(), 'open.helloed', '503 5.5.1'],
  [[...putOff, { ...mail, size: 1001 }], rcpt(), 'open.helloed', '503 5.5.1'],
  [helloed, rcpt(), 'open.helloed', '503 5.5.1'],
  [helloed, data, 'open.helloed', '503 5.5.1'],
  [helloed, plain('starttls'), 'securing', '220 2.0.0'],
  [helloed, draining, 'ended', '421 4.3.2'],
  [mailed, mail, 'open.transaction.mailed', '503 5.5.1'],
  [mailed, data, 'open.transaction.mailed', '503 5.5.1'],
  [mailed, plain('rset'), 'open.helloed', '250 2.0.0'],
  [mailed, hello, 'open.helloed', '250'],
  [mailed, plain('starttls'), 'open.transaction.mailed', '503 5.5.1'],
  [mailed, rcpt(), 'open.transaction.addressed', '250 2.1.5'],
  [mailed, rcpt(undefined, false), 'open.transaction.mailed', '553 5.6.7'],
  [mailed, rcpt({ is: 'suspended', mailboxId: here }), 'open.transaction.mailed', '450 4.2.1'],
  [mailed, rcpt({ is: 'unknown' }), 'open.transaction.mailed', '550 5.1.1'],
  [mailed, rcpt({ is: 'relay' }), 'open.transaction.mailed', '550 5.7.1'],
  [mailed, rcpt({ is: 'noPostmaster' }), 'open.transaction.mailed', '450 4.2.1'],
  [mailed, rcpt({ is: 'unavailable' }), 'open.transaction.mailed', '451 4.3.0'],
  [mailed, draining, 'open.transaction.mailed'],
  [[hello, { type: 'mail', size: 0, smtpUtf8: true }], rcpt(undefined, false), 'open.transaction.addressed', '250 2.1.5'],
  [addressed, rcpt(), 'open.transaction.addressed', '250 2.1.5'],
  [addressed, rcpt({ is: 'mailbox', mailboxId: elsewhere }), 'open.transaction.addressed', '452 4.5.3'],
  [addressed, rcpt({ is: 'unknown' }), 'open.transaction.addressed', '550 5.1.1'],
  [[...addressed, rcpt()], rcpt(), 'open.transaction.addressed', '452 4.5.3'],
  [addressed, mail, 'open.transaction.addressed', '503 5.5.1'],
  [addressed, plain('rset'), 'open.helloed', '250 2.0.0'],
  [addressed, data, 'receiving', '354'],
  [receiving, received, 'open.helloed', '250 2.6.0'],
  [receiving, failed('message-too-large'), 'open.helloed', '552 5.3.4'],
  [receiving, failed('storage-full'), 'open.helloed', '452 4.3.1'],
  [receiving, failed('outcome-unknown'), 'open.helloed', '451 4.3.0'],
  [receiving, failed('shutting-down'), 'ended', '421 4.3.2'],
  [receiving, { type: 'xstate.error.actor.receive', error: new Error('a defect') }, 'open.helloed', '451 4.3.0'],
  [receiving, { type: 'flooded', with: 'message' }, 'ended', '552 5.3.4'],
  [receiving, { type: 'closed' }, 'ended'],
  [receiving, draining, 'receiving'],
  [receiving, { type: 'shutdown', now: true }, 'ended', '421 4.3.2'],
  [[...receiving, draining], received, 'ended', '250 2.6.0', '421 4.3.2'],
  [[...receiving, received], data, 'open.helloed', '503 5.5.1'],
  [greeted, bdat(10), 'open.greeted', '503 5.5.1'],
  [helloed, bdat(10, true), 'open.helloed', '503 5.5.1'],
  [mailed, bdat(10), 'open.transaction.spoilt', '503 5.5.1'],
  [mailed, bdat(10, true), 'open.transaction.mailed', '503 5.5.1'],
  [spoilt, bdat(10), 'open.transaction.spoilt', '503 5.5.1'],
  [spoilt, bdat(0, true), 'open.helloed', '503 5.5.1'],
  [spoilt, rcpt(), 'open.transaction.spoilt', '503 5.5.1'],
  [spoilt, data, 'open.transaction.spoilt', '503 5.5.1'],
  [spoilt, mail, 'open.transaction.spoilt', '503 5.5.1'],
  [spoilt, plain('rset'), 'open.helloed', '250 2.0.0'],
  [addressed, bdat(1000), 'chunking.coming'],
  [addressed, bdat(0, true), 'chunking.last'],
  [addressed, bdat(1001), 'oversized.coming'],
  [addressed, bdat(1001, true), 'oversized.last'],
  [[...addressed, bdat(1001)], chunkRead, 'open.transaction.spoilt', '552 5.3.4'],
  [[...addressed, bdat(1001, true)], chunkRead, 'open.helloed', '552 5.3.4'],
  [[...addressed, bdat(600)], chunkRead, 'chunking.awaiting', '250 2.0.0'],
  [[...addressed, bdat(600)], { type: 'closed' }, 'ended'],
  [[...addressed, bdat(600)], { type: 'idle' }, 'ended', '421 4.4.2'],
  [[...addressed, bdat(600)], draining, 'chunking.coming'],
  [[...addressed, bdat(600)], { type: 'shutdown', now: true }, 'ended', '421 4.3.2'],
  [awaiting, bdat(400), 'chunking.coming'],
  [awaiting, bdat(401), 'oversized.coming'],
  [awaiting, bdat(401, true), 'oversized.last'],
  [awaiting, bdat(400, true), 'chunking.last'],
  [awaiting, data, 'chunking.awaiting', '503 5.5.1'],
  [awaiting, mail, 'chunking.awaiting', '503 5.5.1'],
  [awaiting, rcpt(), 'chunking.awaiting', '503 5.5.1'],
  [awaiting, plain('starttls'), 'chunking.awaiting', '503 5.5.1'],
  [awaiting, plain('noop'), 'chunking.awaiting', '250 2.0.0'],
  [awaiting, { type: 'malformed', problem: 'unknownCommand' }, 'chunking.awaiting', '500 5.5.1'],
  [awaiting, plain('rset'), 'open.helloed', '250 2.0.0'],
  [awaiting, hello, 'open.helloed', '250'],
  [awaiting, plain('quit'), 'ended', '221 2.0.0'],
  [awaiting, { type: 'sizeless' }, 'ended', '501 5.5.4', '421 4.7.0'],
  [awaiting, { type: 'closed' }, 'ended'],
  [awaiting, draining, 'chunking.awaiting'],
  [[...awaiting, bdat(400, true)], chunkRead, 'chunking.whole'],
  [whole, received, 'open.helloed', '250 2.6.0'],
  [whole, failed('storage-full'), 'open.helloed', '452 4.3.1'],
  [whole, failed('shutting-down'), 'ended', '421 4.3.2'],
  [whole, { type: 'closed' }, 'ended'],
  [[...whole, draining], received, 'ended', '250 2.6.0', '421 4.3.2'],
  [[...whole, received], bdat(0, true), 'open.helloed', '503 5.5.1'],
  [[...whole, received, mail, rcpt()], bdat(1000, true), 'chunking.last'],
  [[...awaiting, plain('rset'), mail, rcpt()], bdat(1000, true), 'chunking.last'],
  [greeted, { type: 'sizeless' }, 'ended', '501 5.5.4', '421 4.7.0'],
  [[plain('starttls')], { type: 'secured' }, 'open.greeted'],
  [[plain('starttls')], { type: 'closed' }, 'ended'],
  [[hello, plain('starttls'), { type: 'secured' }], mail, 'open.greeted', '503 5.5.1'],
  [[plain('starttls'), { type: 'secured' }], plain('starttls'), 'open.greeted', '503 5.5.1'],
]

for (const [before, event, state, ...wanted] of table) {
  const asked = JSON.stringify(event, (_, value: unknown) => (value instanceof GatewayError ? value.code : value))
  test(`${valueOf(given(before))} ${asked} → ${state} ${wanted.join(', ')}`, () => {
    const [next, effects] = step(given(before), event)
    assert.is(valueOf(next), state)
    assert.equal(replies(effects), wanted)
  })
}

/** Under TLS, where somebody could log in. */
const secured = { secure: true, offersAuth: true }
const challenged = [hello, auth('awaited')]
const authenticating = [hello, auth('given')]
const loggedIn = [...authenticating, known]

// prettier-ignore
const logins: readonly (readonly [Event[], Event, state: string, ...replies: string[]])[] = [
  [greeted, auth('given'), 'open.greeted', '503 5.5.1'],
  [helloed, auth('given'), 'authenticating'],
  [helloed, auth('awaited'), 'challenged', '334'],
  [helloed, auth('userAwaited'), 'challenged', '334'],
  [helloed, auth('passwordAwaited'), 'challenged', '334'],
  [helloed, auth('malformed'), 'open.helloed', '501 5.5.2'],
  [helloed, auth('otherMechanism'), 'open.helloed', '504 5.5.4'],
  [helloed, auth('unread'), 'open.helloed', '501 5.5.2'],
  [helloed, response('given'), 'open.helloed', '503 5.5.1'],
  [mailed, auth('given'), 'open.transaction.mailed', '503 5.5.1'],
  [addressed, auth('given'), 'open.transaction.addressed', '503 5.5.1'],
  [awaiting, auth('given'), 'chunking.awaiting', '503 5.5.1'],
  [challenged, response('given'), 'authenticating'],
  [challenged, response('passwordAwaited'), 'challenged', '334'],
  [challenged, response('cancelled'), 'open.helloed', '501 5.0.0'],
  [challenged, response('malformed'), 'open.helloed', '501 5.5.2'],
  [challenged, { type: 'malformed', problem: 'lineTooLong' }, 'challenged', '503 5.5.1'],
  [challenged, { type: 'closed' }, 'ended'],
  [challenged, { type: 'idle' }, 'ended', '421 4.4.2'],
  [challenged, draining, 'challenged'],
  [[...challenged, draining], response('cancelled'), 'ended', '501 5.0.0', '421 4.3.2'],
  [authenticating, known, 'open.helloed', '235 2.7.0'],
  [authenticating, refusedLogin('password-wrong'), 'open.helloed', '535 5.7.8'],
  [authenticating, refusedLogin('too-many-attempts'), 'open.helloed', '454 4.7.0'],
  [authenticating, refusedLogin('storage-failed'), 'open.helloed', '451 4.3.0'],
  [authenticating, { type: 'closed' }, 'ended'],
  [authenticating, { type: 'shutdown', now: true }, 'ended', '421 4.3.2'],
  [loggedIn, auth('given'), 'open.helloed', '503 5.5.1'],
  [[...loggedIn, hello], auth('given'), 'open.helloed', '503 5.5.1'],
  [loggedIn, mail, 'open.transaction.mailed', '250 2.1.0'],
]

for (const [before, event, state, ...wanted] of logins) {
  const asked = JSON.stringify(event, (_, value: unknown) => (value instanceof GatewayError ? value.code : value))
  test(`${valueOf(given(before, secured))} under TLS: ${asked} → ${state} ${wanted.join(', ')}`, () => {
    const [next, effects] = step(given(before, secured), event)
    assert.is(valueOf(next), state)
    assert.equal(replies(effects), wanted)
  })
}

test('AUTH is offered under TLS alone, where somebody could log in, and once', () => {
  const offered = (before: Event[], changed: Partial<SmtpInput>) => {
    const [, effects] = step(given(before, changed), hello)
    return effects.some((effect) => effect.type === 'reply' && effect.lines.includes('AUTH PLAIN LOGIN'))
  }
  assert.ok(offered([], secured))
  assert.ok(offered([plain('starttls'), { type: 'secured' }], { offersAuth: true }))
  assert.not(offered([], { offersAuth: true }))
  assert.not(offered([], { secure: true }))
  assert.not(offered(loggedIn, secured))
})

test('no credentials are taken in clear or where nobody could log in, whatever is said to be found', () => {
  const [clear, inClear] = step(given(helloed, { offersAuth: true }), auth('given'))
  assert.equal([valueOf(clear), replies(inClear)], ['open.helloed', ['538 5.7.11']])
  const [none, nowhere] = step(given(helloed, { secure: true }), auth('given'))
  assert.equal([valueOf(none), replies(nowhere)], ['open.helloed', ['502 5.5.1']])
})

test('the third login that is refused ends the session', () => {
  const twice = [...authenticating, refusedLogin('password-wrong'), auth('given'), refusedLogin('password-wrong')]
  const [state, effects] = step(given([...twice, auth('given')], secured), refusedLogin('password-wrong'))
  assert.is(state.status, 'done')
  assert.equal(replies(effects), ['535 5.7.8'])
})

const asking = (asks: readonly Proof[], refusal: Demand['refusal'] = 'permanent') => ({ demand: { asks, refusal } })

// prettier-ignore
const listenerDemands: readonly (readonly [string, Partial<SmtpInput>, Event[], permanent: string, temporary: string])[] = [
  ['an address of another network', asking(['network']), helloed, '550 5.7.1', '450 4.7.1'],
  ['no TLS', asking(['tls']), helloed, '530 5.7.0', '450 4.7.0'],
  ['no certificate', { ...asking(['tls', 'certificate']), secure: true }, helloed, '530 5.7.0', '450 4.7.0'],
  ['no certificate after STARTTLS', asking(['tls', 'certificate']), [plain('starttls'), { type: 'secured' }, hello], '530 5.7.0', '450 4.7.0'],
  ['no token', { ...secured, ...asking(['tls', 'token']) }, helloed, '530 5.7.0', '450 4.7.0'],
]

for (const [lack, changed, before, ...codes] of listenerDemands)
  test(`a listener that asks for it refuses MAIL with ${lack}, as configured, and counts it`, () => {
    for (const [index, refusal] of (['permanent', 'temporary'] as const).entries()) {
      const asks = changed.demand?.asks ?? []
      const [state, effects] = step(given(before, { ...changed, ...asking(asks, refusal) }), mail)
      assert.equal([valueOf(state), replies(effects)], ['open.helloed', [codes[index]]])
      assert.equal(
        effects.flatMap((effect) => (effect.type === 'refused' ? [effect.kind] : [])),
        [`policy-${asks.at(-1)}`],
      )
    }
  })

test('who has shown everything that a listener asks for sends', () => {
  const everything = asking(['network', 'tls', 'certificate', 'token'])
  const way: Event[] = [plain('starttls'), { type: 'secured', certificate: true }, ...loggedIn]
  const changed = { ...everything, shown: ['network'], offersAuth: true } as const
  assert.is(valueOf(given([...way, mail], changed)), 'open.transaction.mailed')
  assert.is(valueOf(given([hello, mail], { ...changed, secure: true })), 'open.helloed')
})

const asked = (asks: readonly Proof[], shown: readonly Proof[] = [], found?: Found): Event =>
  ({ ...rcpt(found), demand: { asks, refusal: 'permanent' }, shown }) as Event

// prettier-ignore
const mailboxDemands: readonly (readonly [Event[], Event, Partial<SmtpInput>, state: string, ...replies: string[]])[] = [
  [mailed, asked(['network']), {}, 'open.transaction.mailed', '550 5.7.1'],
  [mailed, asked(['network'], ['network']), {}, 'open.transaction.addressed', '250 2.1.5'],
  [mailed, asked(['tls']), {}, 'open.transaction.mailed', '530 5.7.0'],
  [mailed, asked(['tls'], ['tls']), {}, 'open.transaction.mailed', '530 5.7.0'],
  [mailed, asked(['tls']), secured, 'open.transaction.addressed', '250 2.1.5'],
  [mailed, asked(['tls', 'certificate']), secured, 'open.transaction.mailed', '530 5.7.0'],
  [mailed, asked(['tls', 'certificate'], ['certificate']), secured, 'open.transaction.addressed', '250 2.1.5'],
  [mailed, asked(['tls', 'token'], ['token']), secured, 'open.transaction.mailed', '530 5.7.0'],
  [[...loggedIn, mail], asked(['tls', 'token'], ['token']), secured, 'open.transaction.addressed', '250 2.1.5'],
  [[...loggedIn, mail], asked(['tls', 'token']), secured, 'open.transaction.mailed', '550 5.7.1'],
  [[...loggedIn, mail], rcpt(), secured, 'open.transaction.mailed', '450 4.7.1'],
  [[...loggedIn, mail], rcpt(), { ...secured, ...asking([]) }, 'open.transaction.mailed', '550 5.7.1'],
  [[...loggedIn, mail], { ...rcpt(), shown: ['token'] } as Event, secured, 'open.transaction.addressed', '250 2.1.5'],
  [[...loggedIn, mail], rcpt({ is: 'unknown' }), secured, 'open.transaction.mailed', '550 5.1.1'],
  [mailed, asked(['network'], [], { is: 'suspended', mailboxId: here }), {}, 'open.transaction.mailed', '550 5.7.1'],
  [mailed, asked(['network'], ['network'], { is: 'suspended', mailboxId: here }), {}, 'open.transaction.mailed', '450 4.2.1'],
  [addressed, asked(['network']), {}, 'open.transaction.addressed', '550 5.7.1'],
  [addressed, asked(['network'], ['network']), {}, 'open.transaction.addressed', '250 2.1.5'],
]

for (const [before, event, changed, state, ...wanted] of mailboxDemands)
  test(`${valueOf(given(before, changed))} ${JSON.stringify([changed, event])} → ${state} ${wanted.join()}`, () => {
    const [next, effects] = step(given(before, changed), event)
    assert.is(valueOf(next), state)
    assert.equal(replies(effects), wanted)
  })

test('a recipient whose mailbox refuses the sender leaves the others of the transaction as they are', () => {
  const { context } = given([...addressed, asked(['network'], [], { is: 'mailbox', mailboxId: elsewhere })])
  assert.equal([context.mailboxId, context.recipients], [here, 1])
})

test('a new session is greeted at once, a crowded gateway says so and ends it', () => {
  const [, greeting] = initialTransition(smtpSession, input)
  assert.equal(replies(emitted(greeting)), ['220'])
  const [state, refusal] = initialTransition(smtpSession, { ...input, crowded: true })
  assert.is(state.status, 'done')
  assert.equal(replies(emitted(refusal)), ['421 4.3.2'])
})

test('STARTTLS is offered before TLS and not after', () => {
  const offered = (secure: boolean) => {
    const [, effects] = step(given([], { secure }), hello)
    const [answer] = effects.filter((effect) => effect.type === 'reply')
    return answer?.lines ?? []
  }
  assert.equal(offered(false), [
    'gateway.example',
    'PIPELINING',
    'SIZE 1000',
    'STARTTLS',
    '8BITMIME',
    'SMTPUTF8',
    'CHUNKING',
    'ENHANCEDSTATUSCODES',
  ])
  assert.not(offered(true).includes('STARTTLS'))
})

test('one command that makes no sense too many ends the session, after its own answer', () => {
  const [state, effects] = step(given([data, data]), data)
  assert.is(state.status, 'done')
  assert.equal(replies(effects), ['503 5.5.1', '421 4.7.0'])
})

test('a message that was received forgives the commands that made no sense', () => {
  assert.is(given([data, data, ...receiving, received]).context.badCommands, 0)
  assert.is(given([data, data, ...whole, received]).context.badCommands, 0)
})

test('a transaction leaves nothing behind for the next one', () => {
  for (const before of [addressed, awaiting, spoilt])
    for (const end of [plain('rset'), hello]) {
      const { context } = given([...before, end])
      const { mailboxId, recipients, smtpUtf8, announced } = context
      assert.equal([mailboxId, recipients, smtpUtf8, announced], [undefined, 0, false, 0])
    }
})

test('every refusal is counted under its kind', () => {
  const kinds = (before: Event[], event: Event) =>
    step(given(before), event)[1].flatMap((effect) => (effect.type === 'refused' ? [effect.kind] : []))
  assert.equal(kinds(mailed, rcpt({ is: 'unknown' })), ['unknown-recipient'])
  assert.equal(kinds(mailed, rcpt({ is: 'relay' })), ['relay'])
  assert.equal(kinds(greeted, auth('unread')), ['auth'])
  assert.equal(kinds(greeted, data), ['bad-command'])
  assert.equal(kinds([...addressed, bdat(1001)], chunkRead), ['too-large'])
})

test('of chunks too, one command that makes no sense too many ends the session', () => {
  const [state, effects] = step(given([...awaiting, data, data]), mail)
  assert.is(state.status, 'done')
  assert.equal(replies(effects), ['503 5.5.1', '421 4.7.0'])
})

test('whoever gives a message in chunks up gives the work on it up', () => {
  const isReceiving = ({ children }: State) => children['receive'] !== undefined
  assert.ok(isReceiving(given(awaiting)))
  for (const event of [plain('rset'), hello, plain('quit'), bdat(401)])
    assert.not(isReceiving(step(given(awaiting), event)[0]), event.type)
})

const alphabet: readonly Event[] = [
  hello,
  { type: 'hello', extended: false },
  mail,
  { type: 'mail', size: 5000, smtpUtf8: true },
  rcpt(),
  rcpt({ is: 'mailbox', mailboxId: elsewhere }),
  rcpt({ is: 'relay' }),
  data,
  bdat(600),
  bdat(600, true),
  chunkRead,
  { type: 'sizeless' },
  ...(['rset', 'noop', 'vrfy', 'help', 'quit', 'starttls', 'unimplemented', 'http'] as const).map(plain),
  { type: 'malformed', problem: 'notText' },
  asked(['network']),
  asked(['tls', 'token'], ['token']),
  auth('given'),
  auth('awaited'),
  auth('unread'),
  response('given'),
  response('cancelled'),
  { type: 'secured' },
  { type: 'idle' },
  { type: 'flooded', with: 'line' },
  { type: 'flooded', with: 'message' },
  { type: 'closed' },
  { type: 'shutdown', now: false },
  { type: 'shutdown', now: true },
]
const settled = [received, failed('storage-failed'), known, refusedLogin('password-wrong')]

/** What tells states apart here; how many commands made no sense so far does not. */
const shape = ({ value, context }: State) =>
  JSON.stringify([
    value,
    context.secure,
    context.sender,
    context.draining,
    context.smtpUtf8,
    context.recipients,
    context.mailboxId,
    context.announced,
  ])

const reachable: readonly State[] = getShortestPaths(
  smtpSession as never,
  {
    input: { ...input, offersAuth: true },
    events: [...alphabet, ...settled],
    serializeState: shape,
  } as never,
).map(({ state }) => state as State)

test('in no reachable state does an event vanish: it is answered, or it changes the state', () => {
  const values = new Set(reachable.map(valueOf))
  assert.equal([...values].sort(), [
    'authenticating',
    'challenged',
    'chunking.awaiting',
    'chunking.coming',
    'chunking.last',
    'chunking.whole',
    'ended',
    'open.greeted',
    'open.helloed',
    'open.transaction.addressed',
    'open.transaction.mailed',
    'open.transaction.spoilt',
    'oversized.coming',
    'oversized.last',
    'receiving',
    'securing',
  ])
  for (const state of reachable.filter(({ status }) => status === 'active'))
    for (const event of alphabet) {
      const [next, effects] = step(state, event)
      const changed = valueOf(next) !== valueOf(state) || next.context.draining !== state.context.draining
      const repeated = event.type === 'shutdown' && !event.now && state.context.draining
      assert.ok(changed || repeated || replies(effects).length > 0, `${valueOf(state)} ${JSON.stringify(event)}`)
    }
})

test('from every reachable state the session ends when the connection is gone', () => {
  for (const state of reachable.filter(({ status }) => status === 'active'))
    assert.is(step(state, { type: 'closed' })[0].status, 'done')
})

test('only an accepted recipient leads to 354 or to chunks that are taken, and only a receipt to a 250 for a message', () => {
  for (const state of reachable.filter(({ status }) => status === 'active'))
    for (const event of [...alphabet, failed('storage-failed')]) {
      const [next, effects] = step(state, event)
      const answers = replies(effects)
      if (valueOf(next).startsWith('chunking'))
        assert.ok(next.context.mailboxId !== undefined && next.context.recipients > 0)
      if (answers.includes('354')) assert.ok(state.context.mailboxId !== undefined && state.context.recipients > 0)
      assert.not(answers.includes('250 2.6.0'))
    }
})

test('every failure of a message is answered as the table of failures says', () => {
  for (const code of [
    'storage-full',
    'storage-failed',
    'not-written',
    'internal',
    'overloaded',
    'mailbox-unknown',
  ] as const) {
    const [, effects] = step(given(receiving), failed(code))
    assert.equal(replies(effects), [answerTo(code).smtp.join(' ')])
  }
})

test.run()
