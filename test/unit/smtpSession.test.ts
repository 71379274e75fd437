import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type ExecutableActionObject, initialTransition, type SnapshotFrom, transition } from 'xstate'
import { getShortestPaths } from 'xstate/graph'
import { smtpSession } from '../../actors/smtpSession.ts'
import type { Found, SmtpEffect, SmtpEvent, SmtpInput } from '../../actors/smtpSetup.ts'
import { answerTo, type ErrorCode, GatewayError } from '../../src/core/errors.ts'
import type { MailboxId, SessionId } from '../../src/core/ids.ts'

type State = SnapshotFrom<typeof smtpSession>
/** What the peer and the shell may send, and how the work may end. */
type Event = SmtpEvent | { type: 'xstate.done.actor.receive'; output: { messageId: string } } | Failed
type Failed = { type: 'xstate.error.actor.receive'; error: unknown }

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
const plain = (
  type: 'rset' | 'noop' | 'vrfy' | 'help' | 'quit' | 'starttls' | 'auth' | 'unimplemented' | 'http',
): Event => ({
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
  [greeted, plain('auth'), 'open.greeted', '502 5.5.1'],
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
  assert.equal(kinds(greeted, plain('auth')), ['auth'])
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
  ...(['rset', 'noop', 'vrfy', 'help', 'quit', 'starttls', 'auth', 'unimplemented', 'http'] as const).map(plain),
  { type: 'malformed', problem: 'notText' },
  { type: 'secured' },
  { type: 'idle' },
  { type: 'flooded', with: 'line' },
  { type: 'flooded', with: 'message' },
  { type: 'closed' },
  { type: 'shutdown', now: false },
  { type: 'shutdown', now: true },
]
const settled = [received, failed('storage-failed')]

/** What tells states apart here; how many commands made no sense so far does not. */
const shape = ({ value, context }: State) =>
  JSON.stringify([
    value,
    context.secure,
    context.draining,
    context.smtpUtf8,
    context.recipients,
    context.mailboxId,
    context.announced,
  ])

const reachable: readonly State[] = getShortestPaths(
  smtpSession as never,
  {
    input,
    events: [...alphabet, ...settled],
    serializeState: shape,
  } as never,
).map(({ state }) => state as State)

test('in no reachable state does an event vanish: it is answered, or it changes the state', () => {
  const values = new Set(reachable.map(valueOf))
  assert.equal([...values].sort(), [
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
