import { putOffs } from '../../src/core/putOff.ts'
import fc from 'fast-check'
import { pop3Notation } from '../../actors/pop3Notation.ts'
import { pop3Proxy } from '../../actors/pop3Proxy.ts'
import { pop3ProxyNotation } from '../../actors/pop3ProxyNotation.ts'
import type { Capable, Pop3Mechanism, Pop3ProxyEvent, Taken } from '../../actors/pop3ProxySetup.ts'
import type { Pop3Event } from '../../actors/pop3Replies.ts'
import { pop3Session } from '../../actors/pop3Session.ts'
import { startSession, work } from '../../actors/session.ts'
import type { Proxied, RemoteStatus } from '../../actors/proxied.ts'
import { smtpNotation } from '../../actors/smtpNotation.ts'
import { smtpSession } from '../../actors/smtpSession.ts'
import type { Found, SmtpEvent, SmtpInput } from '../../actors/smtpSetup.ts'
import { submittedCredentials } from '../../actors/submittedCredentials.ts'
import { startTranscript } from '../../actors/transcript.ts'
import { type ErrorCode, GatewayError } from '../../src/core/errors.ts'
import type { SessionOutcome } from '../../src/core/events.ts'
import { newMailboxId, newMessageId, newSenderId, newSessionId, type SessionId } from '../../src/core/ids.ts'
import { proofs } from '../../src/core/senderPolicy.ts'

/** How the work that runs is to end; nothing happens when none runs. */
type WorkEnd = { readonly type: 'workDone' } | { readonly type: 'workFailed'; readonly code: ErrorCode }

/** A session that was lived through by a real actor. */
export type Lived = { readonly sessionId: SessionId; readonly transcript: string; readonly outcome: SessionOutcome }

const code = fc.constantFrom<ErrorCode>(
  'storage-full',
  'connection-lost',
  'shutting-down',
  'password-wrong',
  'internal',
  'proxy-lost',
)
const workEnd = fc.oneof(
  { arbitrary: fc.constant<WorkEnd>({ type: 'workDone' }), weight: 4 },
  { arbitrary: code.map((code): WorkEnd => ({ type: 'workFailed', code })), weight: 1 },
)

const [here, elsewhere] = [newMailboxId(), newMailboxId()]
const found = fc.constantFrom<Found>(
  { is: 'mailbox', mailboxId: here },
  { is: 'mailbox', mailboxId: here },
  { is: 'mailbox', mailboxId: elsewhere },
  { is: 'suspended', mailboxId: here },
  { is: 'unknown' },
  { is: 'relay' },
  { is: 'noPostmaster' },
  { is: 'unavailable' },
)
const flag = fc.boolean()
export const anyPutOff = fc.constantFrom(undefined, undefined, undefined, undefined, ...putOffs)
const shown = fc.subarray([...proofs])
const demand = fc.option(fc.record({ asks: shown, refusal: fc.constantFrom('temporary', 'permanent') }), {
  nil: undefined,
  freq: 3,
})
const login = fc
  .record({
    type: fc.constantFrom('auth', 'response'),
    found: fc.constantFrom('given', ...submittedCredentials),
  })
  .map((event) => event as SmtpEvent)
const smtpEvent = fc.oneof(
  flag.map((extended): SmtpEvent => ({ type: 'hello', extended })),
  fc
    .record({ size: fc.constantFrom(0, 1000, 1001, 1e21), smtpUtf8: flag, putOff: anyPutOff })
    .map((mail): SmtpEvent => ({ type: 'mail', ...mail })),
  fc.record({ found, ascii: flag }).map((rcpt): SmtpEvent => ({ type: 'rcpt', ...rcpt })),
  fc.record({ found, ascii: flag, demand, shown }).map((rcpt): SmtpEvent => ({ type: 'rcpt', ...rcpt })),
  login,
  flag.map((certificate): SmtpEvent => ({ type: 'secured', certificate })),
  fc
    .constantFrom('data', 'data', 'rset', 'noop', 'vrfy', 'help', 'starttls', 'unimplemented')
    .map((type): SmtpEvent => ({ type })),
  fc
    .record({ size: fc.constantFrom(0, 10, 990, 1001), last: flag })
    .map((chunk): SmtpEvent => ({ type: 'bdat', ...chunk })),
  fc.constant<SmtpEvent>({ type: 'chunkRead' }),
  fc
    .constantFrom('unknownCommand', 'lineTooLong', 'mailSyntax')
    .map((problem): SmtpEvent => ({ type: 'malformed', problem })),
)
const smtpLast = fc.oneof(
  fc.constantFrom<SmtpEvent>({ type: 'closed' }, { type: 'quit' }, { type: 'idle' }, { type: 'http' }),
  fc.constant<SmtpEvent>({ type: 'sizeless' }),
  fc.constantFrom<SmtpEvent>({ type: 'flooded', with: 'line' }, { type: 'flooded', with: 'message' }),
  flag.map((now): SmtpEvent => ({ type: 'shutdown', now })),
)
const smtpInput = fc.record({
  secure: flag,
  crowded: fc.constantFrom(false, false, false, true),
  maxSize: fc.constant(1000),
  maxRecipients: fc.integer({ min: 1, max: 3 }),
  maxBadCommands: fc.integer({ min: 1, max: 6 }),
  maxIdleCommands: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  offersAuth: flag,
  demand: fc.oneof({ arbitrary: fc.constant(undefined), weight: 3 }, { arbitrary: demand, weight: 1 }),
  shown,
})

const message = fc.option(
  fc.record({
    number: fc.integer({ min: 1, max: 3 }),
    octets: fc.constant(70),
    messageId: fc.constant(newMessageId()),
  }),
  { nil: undefined, freq: 5 },
)
const credentials = fc.constantFrom('given', 'given', 'proxied', 'proxied', 'unread', 'malformed')
const number = fc.integer({ min: 1, max: 3 })
const asked: fc.Arbitrary<Proxied> = fc.oneof(
  fc
    .constantFrom('stat', 'noop', 'rset', 'other', 'capa', 'list', 'uidl')
    .map((verb): Proxied => ({ verb, number: undefined, lines: undefined })),
  fc
    .record({ verb: fc.constantFrom('listOne', 'uidlOne', 'retr', 'dele'), number })
    .map((of): Proxied => ({ ...of, lines: undefined })),
  fc.record({ number, lines: fc.nat(9) }).map((of): Proxied => ({ verb: 'top', ...of })),
)
const quit: Proxied = { verb: 'quit', number: undefined, lines: undefined }
const remoteStatus = fc.constantFrom<RemoteStatus>('ok', 'ok', 'ok', 'ok', 'ok', 'err', 'continue')
const pop3Event = fc.oneof(
  fc
    .constantFrom('capa', 'stls', 'noop', 'stat', 'list', 'uidl', 'rset', 'unknown')
    .map((type): Pop3Event => ({ type })),
  fc.record({
    type: fc.constantFrom('user', 'pass', 'auth', 'response'),
    found: credentials,
  }) as fc.Arbitrary<Pop3Event>,
  fc.constantFrom<Pop3Event>({ type: 'auth', found: 'awaited' }, { type: 'auth', found: 'otherMechanism' }),
  fc.constant<Pop3Event>({ type: 'response', found: 'cancelled' }),
  fc
    .record({ type: fc.constantFrom('listOne', 'uidlOne', 'retr', 'dele'), message })
    .map((event): Pop3Event => event as Pop3Event),
  fc.record({ message, lines: fc.nat(9) }).map((top): Pop3Event => ({ type: 'top', ...top })),
  fc.constant<Pop3Event>({ type: 'malformed', syntax: 'TOP number lines' }),
  asked.map((proxied): Pop3Event => ({ type: 'proxied', ...proxied })),
)
const pop3Last = fc.constantFrom<Pop3Event>(
  { type: 'quit' },
  { type: 'proxied', ...quit },
  { type: 'remoteLost' },
  { type: 'oversized' },
  { type: 'closed', outcome: 'lost' },
  { type: 'closed', outcome: 'timeout' },
)

/** A clock that now and then is set back. */
const crookedClock = () => {
  const times = [5, 7, 7, 6, 20, 3, 31, 1000]
  let at = 0
  return () => times[at++ % times.length] ?? 0
}

/** Plays the events to an actor whose works end when they are told to; a session that goes on at the end is closed. */
export const liveSmtp = async (
  limits: Omit<SmtpInput, 'sessionId' | 'domain'>,
  events: readonly (SmtpEvent | WorkEnd)[],
  limit: number,
): Promise<Lived> => {
  const sessionId = newSessionId()
  const input = { sessionId, domain: 'gateway.example', ...limits }
  const transcript = startTranscript(smtpNotation, { sessionId, input, limit, now: crookedClock() })
  let outcome: SessionOutcome = 'failed'
  const works = endableWork()
  const machine = smtpSession.provide({
    actors: {
      receive: work(() => works.begin({ messageId: newMessageId() })),
      authenticate: work(() => works.begin({ sender: newSenderId() })),
    },
  })
  const actor = startSession(machine, {
    input,
    transcript,
    onEmit: (effect) => {
      if (effect.type === 'ended') outcome = effect.outcome
    },
    onDone: () => undefined,
    onError: () => undefined,
  })
  for (const event of [...events, { type: 'workDone' } as const, { type: 'closed' } as const]) {
    if (event.type === 'workDone' || event.type === 'workFailed') await works.end(event)
    else if (actor.getSnapshot().status === 'active') actor.send(event)
  }
  return { sessionId, transcript: transcript.text(), outcome }
}

export const livePop3 = async (
  start: Drawn<typeof pop3Input>,
  events: readonly (Pop3Event | WorkEnd)[],
  limit: number,
): Promise<Lived> => {
  const sessionId = newSessionId()
  const { secure, proxy, badCommands, whole, status } = start
  const input = { session: sessionId, domain: 'gateway.example', secure, proxy, badCommands }
  const transcript = startTranscript(pop3Notation, { sessionId, input, limit, now: crookedClock() })
  const works = endableWork()
  const machine = pop3Session.provide({
    actors: {
      upgrade: work(() => works.begin<unknown>(undefined)),
      unlock: work(() => works.begin({ count: 3, octets: 210 })),
      enumerate: work(() => works.begin<unknown>(undefined)),
      fetch: work(() => works.begin({ whole })),
      send: work(() => works.begin<unknown>(undefined)),
      update: work(() => works.begin<unknown>(undefined)),
      connect: work(() => works.begin(status)),
      answer: work(() => works.begin(status)),
      relay: work(() => works.begin({ status, rest: status === 'ok' && !whole })),
      passOn: work(() => works.begin<unknown>(undefined)),
    },
  })
  const ignore = () => undefined
  const actor = startSession(machine, { input, transcript, onEmit: ignore, onDone: ignore, onError: ignore })
  const end = [{ type: 'closed', outcome: 'lost' }, { type: 'workDone' }] as const
  for (const event of [...events, ...end]) {
    if (event.type === 'workDone' || event.type === 'workFailed') await works.end(event)
    else if (actor.getSnapshot().status === 'active') actor.send(event)
  }
  return { sessionId, transcript: transcript.text(), outcome: actor.getSnapshot().context.outcome }
}

export const livePop3Proxy = async (
  { secure, mechanism, ...outputs }: Drawn<typeof pop3ProxyInput>,
  events: readonly (Pop3ProxyEvent | WorkEnd)[],
  limit: number,
): Promise<Lived> => {
  const sessionId = newSessionId()
  const input = { session: sessionId, secure, mechanism }
  const transcript = startTranscript(pop3ProxyNotation, { sessionId, input, limit, now: crookedClock() })
  const works = endableWork()
  const next = <T>(from: readonly T[], otherwise: T) => {
    let at = 0
    return () => works.begin(from[at++ % from.length] ?? otherwise)
  }
  const told = next(outputs.statuses, 'ok' as const)
  const machine = pop3Proxy.provide({
    actors: {
      hear: work(told),
      tell: work(told),
      inquire: work(next(outputs.capables, outputs.capables[0])),
      upgrade: work(() => works.begin<unknown>(undefined)),
      list: work(() => works.begin<unknown>(undefined)),
      identify: work(next(outputs.recorded, false)),
      take: work(next(outputs.taken, 'whole' as const)),
      hold: work(() => works.begin<unknown>(undefined)),
    },
  })
  const ignore = () => undefined
  const actor = startSession(machine, { input, transcript, onEmit: ignore, onDone: ignore, onError: ignore })
  const end = [{ type: 'closed', outcome: 'lost' }, { type: 'workDone' }] as const
  for (const event of [...events, ...end]) {
    if (event.type === 'workDone' || event.type === 'workFailed') await works.end(event)
    else if (actor.getSnapshot().status === 'active') actor.send(event)
  }
  return { sessionId, transcript: transcript.text(), outcome: actor.getSnapshot().context.outcome }
}

/** Work that goes on until it is ended. */
const endableWork = () => {
  let settle: ((end: WorkEnd) => void) | undefined
  return {
    begin: <T>(result: T) =>
      new Promise<T>((resolve, reject) => {
        settle = (end) => (end.type === 'workDone' ? resolve(result) : reject(new GatewayError(end.code)))
      }),
    end: async (end: WorkEnd) => {
      settle?.(end)
      settle = undefined
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

const pop3Input = fc.record({
  secure: flag,
  proxy: flag,
  badCommands: fc.integer({ min: 2, max: 9 }),
  whole: flag,
  status: remoteStatus,
})
const pop3Mechanism = fc.constantFrom<Pop3Mechanism>('USER', 'PLAIN', 'XOAUTH2', 'OAUTHBEARER')
const capable: fc.Arbitrary<Capable> = fc.record({
  stls: flag,
  user: flag,
  mechanisms: fc.constantFrom<readonly Pop3Mechanism[]>([], ['PLAIN'], ['PLAIN', 'XOAUTH2', 'OAUTHBEARER']),
})
const pop3ProxyInput = fc.record({
  secure: flag,
  mechanism: pop3Mechanism,
  statuses: fc.array(remoteStatus, { minLength: 1, maxLength: 9 }),
  capables: fc.tuple(capable, capable),
  recorded: fc.tuple(flag, flag),
  taken: fc.array(fc.constantFrom<Taken>('whole', 'whole', 'same', 'partial'), { minLength: 1, maxLength: 5 }),
})
const pop3ProxyEvent = fc.oneof(
  { arbitrary: asked.map((proxied): Pop3ProxyEvent => ({ type: 'asked', ...proxied })), weight: 5 },
  { arbitrary: fc.constant<Pop3ProxyEvent>({ type: 'answer' }), weight: 1 },
)
const pop3ProxyLast = fc.constantFrom<Pop3ProxyEvent>(
  { type: 'asked', ...quit },
  { type: 'closed', outcome: 'lost' },
  { type: 'closed', outcome: 'shutdown' },
)

const ample = 64 * 1024
const many = { maxLength: 40 }

/** Most sessions get somewhere. */
const smtpOpenings: readonly (readonly SmtpEvent[])[] = [
  [],
  [{ type: 'hello', extended: true }],
  [{ type: 'starttls' }, { type: 'secured', certificate: true }, { type: 'hello', extended: true }],
  [
    { type: 'hello', extended: true },
    { type: 'mail', size: 0, smtpUtf8: true },
    { type: 'rcpt', found: { is: 'mailbox', mailboxId: here }, ascii: true },
    { type: 'data' },
  ],
  [
    { type: 'hello', extended: true },
    { type: 'mail', size: 0, smtpUtf8: true },
    { type: 'rcpt', found: { is: 'mailbox', mailboxId: here }, ascii: true },
    { type: 'bdat', size: 10, last: false },
    { type: 'chunkRead' },
  ],
]
const pop3Openings: readonly (readonly (Pop3Event | WorkEnd)[])[] = [
  [],
  [{ type: 'auth', found: 'given' }, { type: 'workDone' }],
  [{ type: 'stls' }, { type: 'workDone' }, { type: 'auth', found: 'given' }, { type: 'workDone' }],
  [{ type: 'user', found: 'given' }, { type: 'pass', found: 'given' }, { type: 'workDone' }],
  [{ type: 'user', found: 'proxied' }, { type: 'pass', found: 'given' }, { type: 'workDone' }],
  [{ type: 'auth', found: 'proxied' }, { type: 'workDone' }],
]
const pop3ProxyOpenings: readonly (readonly (Pop3ProxyEvent | WorkEnd)[])[] = [
  [],
  Array.from({ length: 4 }, () => ({ type: 'workDone' })),
  Array.from({ length: 7 }, () => ({ type: 'workDone' })),
]

/** Sessions of either protocol, with everything that a peer, the shell and the works may do, in any order. */
export const anySmtpSession = fc.tuple(
  smtpInput,
  fc.constantFrom(...smtpOpenings),
  fc.array(fc.oneof({ arbitrary: smtpEvent, weight: 4 }, { arbitrary: workEnd, weight: 1 }), many),
  smtpLast,
)
export const anyPop3Session = fc.tuple(
  pop3Input,
  fc.constantFrom(...pop3Openings),
  fc.array(fc.oneof({ arbitrary: pop3Event, weight: 3 }, { arbitrary: workEnd, weight: 2 }), many),
  pop3Last,
)

export const anyPop3Proxy = fc.tuple(
  pop3ProxyInput,
  fc.constantFrom(...pop3ProxyOpenings),
  fc.array(fc.oneof({ arbitrary: pop3ProxyEvent, weight: 1 }, { arbitrary: workEnd, weight: 3 }), many),
  pop3ProxyLast,
)

type Drawn<A> = A extends fc.Arbitrary<infer T> ? T : never

export const smtpLife = ([input, opening, events, last]: Drawn<typeof anySmtpSession>, limit = ample) =>
  liveSmtp(input, [...opening, ...events, last], limit)
export const pop3Life = ([start, opening, events, last]: Drawn<typeof anyPop3Session>, limit = ample) =>
  livePop3(start, [...opening, ...events, last], limit)
export const pop3ProxyLife = ([start, opening, events, last]: Drawn<typeof anyPop3Proxy>, limit = ample) =>
  livePop3Proxy(start, [...opening, ...events, last], limit)
