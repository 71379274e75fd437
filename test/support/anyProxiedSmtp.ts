import fc from 'fast-check'
import { noExtensions } from '../../actors/proxiedSmtp.ts'
import { startSession } from '../../actors/session.ts'
import { smtpProxy } from '../../actors/smtpProxy.ts'
import { smtpProxyNotation } from '../../actors/smtpProxyNotation.ts'
import type { SmtpProxyEffect, SmtpProxyEvent, SmtpProxyInput } from '../../actors/smtpProxySetup.ts'
import { submissionNotation } from '../../actors/submissionNotation.ts'
import { submissionSession } from '../../actors/submissionSession.ts'
import type { SubmissionEffect, SubmissionEvent, SubmissionInput } from '../../actors/submissionSetup.ts'
import { submittedCredentials } from '../../actors/submittedCredentials.ts'
import { startTranscript } from '../../actors/transcript.ts'
import { type ErrorCode, GatewayError } from '../../src/core/errors.ts'
import type { SessionOutcome } from '../../src/core/events.ts'
import { newMessageId, newSessionId } from '../../src/core/ids.ts'
import { anyPutOff, type Lived } from './anySession.ts'

const flag = fc.boolean()
const error = fc
  .constantFrom<ErrorCode>('storage-full', 'storage-failed', 'proxy-lost', 'proxy-certificate', 'internal')
  .map((code) => new GatewayError(code))
const code = fc.constantFrom(220, 235, 250, 251, 334, 354, 421, 451, 535, 550, 354, 250, 220, 235)
const mechanism = fc.constantFrom('PLAIN', 'LOGIN', 'XOAUTH2', 'OAUTHBEARER')

export const anyProxyInput: fc.Arbitrary<SmtpProxyInput> = fc.record({ secure: flag, mechanism, initial: flag })

export const anyProxyEvent: fc.Arbitrary<SmtpProxyEvent> = fc.oneof(
  { arbitrary: code.map((code): SmtpProxyEvent => ({ type: 'replied', code })), weight: 6 },
  {
    arbitrary: fc
      .record({ starttls: flag, mechanisms: fc.shuffledSubarray(['PLAIN', 'LOGIN', 'XOAUTH2'] as const) })
      .map((offers): SmtpProxyEvent => ({ type: 'offered', ...offers })),
    weight: 2,
  },
  {
    arbitrary: fc.constantFrom('mail', 'rcpt', 'data', 'data', 'rset', 'noop').map((verb): SmtpProxyEvent => ({
      type: 'asked',
      verb,
    })),
    weight: 3,
  },
  { arbitrary: fc.constantFrom('secured', 'answer', 'bodyEnded', 'settled').map((type) => ({ type })), weight: 4 },
  { arbitrary: fc.constant<SmtpProxyEvent>({ type: 'durable', messageId: newMessageId() }), weight: 2 },
  error.map((error): SmtpProxyEvent => ({ type: 'unsealed', error })),
  error.map((error): SmtpProxyEvent => ({ type: 'unsecured', error })),
  fc.constantFrom('silent', 'nonsense', 'closed', 'left', 'stopped').map((type) => ({ type })),
)

/** The ways to each part of a proxy connection's life. */
const greeted: readonly SmtpProxyEvent[] = [
  { type: 'replied', code: 220 },
  { type: 'offered', starttls: true, mechanisms: ['PLAIN', 'XOAUTH2'] },
]
const throughTls: readonly SmtpProxyEvent[] = [
  ...greeted,
  { type: 'replied', code: 220 },
  { type: 'secured' },
  { type: 'offered', starttls: false, mechanisms: ['PLAIN', 'XOAUTH2'] },
]
const answered = (verb: 'mail' | 'rcpt' | 'data', code: number): readonly SmtpProxyEvent[] => [
  { type: 'asked', verb },
  { type: 'replied', code },
]
export const proxyOpenings = {
  none: [],
  greeted,
  throughTls,
  loggedIn: [...greeted, { type: 'replied', code: 235 }],
  relaying: [
    ...greeted,
    { type: 'replied', code: 235 },
    ...answered('mail', 250),
    ...answered('rcpt', 250),
    ...answered('data', 354),
  ],
} as const satisfies Record<string, readonly SmtpProxyEvent[]>

export const anySmtpProxy = fc.tuple(
  anyProxyInput,
  fc.constantFrom(...Object.values(proxyOpenings)),
  fc.array(anyProxyEvent, { maxLength: 25 }),
)

const extensions = fc.record({
  size: fc.constantFrom(undefined, 0, 500, 5000),
  eightBit: flag,
  smtpUtf8: flag,
  dsn: flag,
})
export const anySubmissionInput: fc.Arbitrary<SubmissionInput> = fc.record({
  domain: fc.constant('gateway.example'),
  secure: flag,
  crowded: fc.constantFrom(false, false, false, true),
  maxSize: fc.constant(1000),
  maxRecipients: fc.integer({ min: 1, max: 3 }),
  maxBadCommands: fc.integer({ min: 1, max: 6 }),
  maxIdleCommands: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
})

const found = fc.constantFrom('given', 'given', ...submittedCredentials)
export const anySubmissionEvent: fc.Arbitrary<SubmissionEvent> = fc.oneof(
  flag.map((extended): SubmissionEvent => ({ type: 'hello', extended })),
  fc.tuple(fc.constantFrom('auth', 'response'), found).map(([type, found]): SubmissionEvent => ({ type, found })),
  fc
    .record({ size: fc.constantFrom(0, 600, 1001), eightBit: flag, smtpUtf8: flag, putOff: anyPutOff })
    .map((mail): SubmissionEvent => ({ type: 'mail', ...mail })),
  flag.map((ascii): SubmissionEvent => ({ type: 'rcpt', ascii })),
  fc
    .constantFrom('data', 'data', 'rset', 'noop', 'vrfy', 'help', 'starttls', 'unimplemented', 'secured', 'remoteLost')
    .map((type) => ({ type })),
  fc.constant<SubmissionEvent>({ type: 'bdat' }),
  fc.constantFrom('unknownCommand', 'lineTooLong').map((problem): SubmissionEvent => ({ type: 'malformed', problem })),
  { arbitrary: code.map((code): SubmissionEvent => ({ type: 'remote', code })), weight: 3 },
  extensions.map((extensions): SubmissionEvent => ({ type: 'welcomed', code: 235, extensions })),
  error.map((error): SubmissionEvent => ({ type: 'failed', error })),
)
const lastOfSubmission = fc.constantFrom<SubmissionEvent>(
  { type: 'quit' },
  { type: 'closed' },
  { type: 'idle' },
  { type: 'http' },
  { type: 'flooded', with: 'message' },
  { type: 'flooded', with: 'line' },
  { type: 'shutdown', now: true },
)

const loggedIn: readonly SubmissionEvent[] = [
  { type: 'hello', extended: true },
  { type: 'auth', found: 'given' },
  { type: 'welcomed', code: 235, extensions: { ...noExtensions, eightBit: true } },
]
const addressed: readonly SubmissionEvent[] = [
  ...loggedIn,
  { type: 'mail', size: 0, eightBit: false, smtpUtf8: false },
  { type: 'remote', code: 250 },
  { type: 'rcpt', ascii: true },
  { type: 'remote', code: 250 },
]
export const submissionOpenings = {
  none: [],
  loggedIn,
  addressed,
  dataRefused: [...addressed, { type: 'data' }, { type: 'remote', code: 451 }],
  receiving: [...addressed, { type: 'data' }, { type: 'remote', code: 354 }],
} as const satisfies Record<string, readonly SubmissionEvent[]>

export const anySubmission = fc.tuple(
  anySubmissionInput,
  fc.constantFrom(...Object.values(submissionOpenings)),
  fc.array(anySubmissionEvent, { maxLength: 25 }),
  lastOfSubmission,
)

const ticking = () => {
  let at = 0
  return () => at++
}

type Effect = SmtpProxyEffect | SubmissionEffect
const outcomeIn = (effects: readonly Effect[]): SessionOutcome =>
  effects.find((effect) => effect.type === 'ended')?.outcome ?? 'failed'

/** Plays the events to an actor; one that goes on at the end is told that the connection is gone. */
export const liveSmtpProxy = (input: SmtpProxyInput, events: readonly SmtpProxyEvent[]): Lived => {
  const sessionId = newSessionId()
  const transcript = startTranscript(smtpProxyNotation, { sessionId, input, limit: 1e5, now: ticking() })
  const effects: SmtpProxyEffect[] = []
  const actor = startSession(smtpProxy, {
    input,
    transcript,
    onEmit: (effect) => void effects.push(effect),
    onDone: () => undefined,
    onError: () => undefined,
  })
  const end = [{ type: 'closed' }, { type: 'settled' }, { type: 'closed' }] as const
  for (const event of [...events, ...end]) if (actor.getSnapshot().status === 'active') actor.send(event)
  return { sessionId, transcript: transcript.text(), outcome: outcomeIn(effects) }
}

export const liveSubmission = (input: SubmissionInput, events: readonly SubmissionEvent[]): Lived => {
  const sessionId = newSessionId()
  const transcript = startTranscript(submissionNotation, { sessionId, input, limit: 1e5, now: ticking() })
  const effects: SubmissionEffect[] = []
  const actor = startSession(submissionSession, {
    input,
    transcript,
    onEmit: (effect) => void effects.push(effect),
    onDone: () => undefined,
    onError: () => undefined,
  })
  for (const event of [...events, { type: 'closed' } as const])
    if (actor.getSnapshot().status === 'active') actor.send(event)
  return { sessionId, transcript: transcript.text(), outcome: outcomeIn(effects) }
}
