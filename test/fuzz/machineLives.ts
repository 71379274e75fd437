import fc from 'fast-check'
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EmittedFrom,
  type EventFromLogic,
  initialTransition,
  type InputFrom,
  type SnapshotFrom,
  type StateValue,
  transition,
} from 'xstate'
import { pop3Notation } from '../../actors/pop3Notation.ts'
import { pop3ProxyNotation } from '../../actors/pop3ProxyNotation.ts'
import { smtpNotation } from '../../actors/smtpNotation.ts'
import { smtpProxyNotation } from '../../actors/smtpProxyNotation.ts'
import { submissionNotation } from '../../actors/submissionNotation.ts'
import { type Notation, startTranscript, stateName } from '../../actors/transcript.ts'
import { type ErrorCode, GatewayError } from '../../src/core/errors.ts'
import type { SessionOutcome } from '../../src/core/events.ts'
import { newMessageId } from '../../src/core/ids.ts'
import { anySmtpProxy, anySubmission } from '../support/anyProxiedSmtp.ts'
import { anyPop3Proxy, anyPop3Session, anySmtpSession } from '../support/anySession.ts'
import type { MachineName } from './states.ts'

/** What a machine is told, by a peer, its shell or its own work. */
type Told = { readonly type: string }

/** A way through a machine: how it starts, and what it is told, by their numbers. */
export type Life = { readonly input: number; readonly told: readonly number[] }

export type Lived = {
  readonly transcript: string
  readonly outcome: SessionOutcome
  readonly states: readonly string[]
}

/** A machine that can be told anything that it may be told, by numbers. */
export type Livable = {
  /** How many ways it may start and things it may be told there are. */
  readonly inputs: number
  readonly alphabet: number
  /** A way to each state that can be reached. */
  readonly openings: ReadonlyMap<string, Life>
  live(life: Life): Lived
}

const sessionId = '01980000-0000-7000-8000-000000000002'
const messageId = newMessageId()
const statuses = ['ok', 'err', 'continue'] as const
const offers = (stls: boolean, user: boolean, mechanisms: readonly string[]) => ({ stls, user, mechanisms })
const nothing = [undefined]

/** What each machine's work may come to. */
const works: Readonly<Record<MachineName, Readonly<Record<string, readonly unknown[]>>>> = {
  smtpSession: { receive: [{ messageId }] },
  pop3Session: {
    ...{ upgrade: nothing, unlock: [{ count: 3, octets: 210 }], enumerate: nothing, send: nothing, update: nothing },
    ...{ fetch: [{ whole: true }, { whole: false }], connect: statuses, answer: statuses, passOn: nothing },
    relay: [true, false].flatMap((rest) => statuses.map((status) => ({ status, rest }))),
  },
  pop3Proxy: {
    ...{ hear: statuses, tell: statuses, upgrade: nothing, list: nothing, hold: nothing, identify: [true, false] },
    inquire: [offers(true, true, []), offers(false, true, []), offers(false, false, ['PLAIN', 'XOAUTH2'])],
    take: ['whole', 'same', 'partial'],
  },
  smtpProxy: {},
  submissionSession: {},
}
const failures: readonly ErrorCode[] = [
  'storage-full',
  'connection-lost',
  'password-wrong',
  'internal',
  'proxy-lost',
  'proxy-unreachable',
]

const workEvents = (name: MachineName): readonly Told[] =>
  Object.entries(works[name]).flatMap(([work, outputs]) => [
    ...outputs.map((output) => ({ type: `xstate.done.actor.${work}`, output })),
    ...failures.map((code) => ({ type: `xstate.error.actor.${work}`, error: new GatewayError(code) })),
  ])

/** `xstate.done.actor.receive`: only while that runs. */
const workOf = ({ type }: Told) => /^xstate\.(?:done|error)\.actor\.(.+)$/.exec(type)?.[1]

const samples = { seed: 7, numRuns: 400 }
/** What is drawn for the tests of the transcripts: starts and events. */
const drawn: Readonly<Record<MachineName, () => readonly (readonly [input: object, told: readonly Told[]])[]>> = {
  smtpSession: () =>
    fc
      .sample(anySmtpSession, samples)
      .map(([input, opening, events, last]) => [{ ...input, sessionId, domain: 'x' }, [...opening, ...events, last]]),
  pop3Session: () =>
    fc
      .sample(anyPop3Session, samples)
      .map(([{ secure, proxy, badCommands }, opening, events, last]) => [
        { session: sessionId, domain: 'x', secure, proxy, badCommands },
        [...opening, ...events, last],
      ]),
  pop3Proxy: () =>
    fc
      .sample(anyPop3Proxy, samples)
      .map(([{ secure, mechanism }, opening, events, last]) => [
        { session: sessionId, secure, mechanism },
        [...opening, ...events, last],
      ]),
  smtpProxy: () => fc.sample(anySmtpProxy, samples).map(([input, opening, events]) => [input, [...opening, ...events]]),
  submissionSession: () =>
    fc.sample(anySubmission, samples).map(([input, opening, events, last]) => [input, [...opening, ...events, last]]),
}

/** How the works of an actor are to end; here they are told themselves. */
const ends = new Set(['workDone', 'workFailed'])

const distinct = <T>(all: readonly T[], text: (one: T) => string): readonly T[] => [
  ...new Map(all.map((one) => [text(one), one])).values(),
]

type Executable = { readonly type: string; readonly params?: unknown }
/** `emit` is the library's own action, which the machine's type of its actions leaves out. */
const emittedBy = <M extends AnyStateMachine>(actions: readonly Executable[]) =>
  actions
    .filter(({ type }) => type === 'xstate.emit')
    .map(({ params }) => (params as { readonly event: EmittedFrom<M> & Told }).event)

type Step = [AnyMachineSnapshot, readonly Executable[]]

const livable = <M extends AnyStateMachine, Event>(name: MachineName, notation: Notation<M, Event>): Livable => {
  const { machine } = notation
  const lives = drawn[name]()
  // A notation's types are those of its own machine, which the list of all cannot say.
  const inputs = distinct(
    lives.map(([input]) => input),
    (input) => notation.writeInput(input as InputFrom<M>),
  )
  const alphabet = distinct(
    [...lives.flatMap(([, told]) => told.filter(({ type }) => !ends.has(type))), ...workEvents(name)],
    (told) => notation.writeEvent(told as Event),
  )
  const start = (input: number) => initialTransition(machine, inputs[input % inputs.length] as never) as Step
  const next = (state: AnyMachineSnapshot, told: Told): Step | undefined => {
    const work = workOf(told)
    if (state.status !== 'active' || (work !== undefined && !(work in state.children))) return undefined
    return transition(machine, state as SnapshotFrom<M>, told as unknown as EventFromLogic<M>) as Step
  }

  const live = ({ input, told }: Life): Lived => {
    let [state, actions] = start(input)
    const transcript = startTranscript(notation, {
      sessionId,
      input: inputs[input % inputs.length] as InputFrom<M>,
      limit: 1e6,
      now: () => 0,
    })
    const states: string[] = []
    let outcome: SessionOutcome = 'failed'
    const settle = () => {
      for (const one of emittedBy<M>(actions)) transcript.emitted(one)
      states.push(stateName(state.value as StateValue))
      if (state.status === 'done')
        outcome = notation.outcome(state as SnapshotFrom<M>, emittedBy<M>(actions)) ?? 'failed'
    }
    transcript.started(state.value as StateValue)
    settle()
    for (const number of told) {
      const event = alphabet[number % alphabet.length]
      const step = event && next(state, event)
      if (!step) continue
      ;[state, actions] = step
      transcript.heard(event, state.value as StateValue)
      settle()
    }
    return { transcript: transcript.text(), outcome, states }
  }
  return {
    inputs: inputs.length,
    alphabet: alphabet.length,
    openings: ways({ inputs: inputs.length, alphabet, start, next }),
    live,
  }
}

type Found = { readonly state: AnyMachineSnapshot; readonly life: Life }
type Walk = {
  readonly inputs: number
  readonly alphabet: readonly Told[]
  readonly start: (input: number) => Step
  readonly next: (state: AnyMachineSnapshot, told: Told) => Step | undefined
}

/** States that were looked at in vain, one after the other, before no further one is expected. */
const patience = 120
/** What a context allows or forbids: of numbers only whether there is one. */
const kindOf = (one: unknown): unknown => {
  if (typeof one === 'number') return one > 0
  if (typeof one !== 'object' || one === null || ArrayBuffer.isView(one)) return one
  return Object.values(one).map(kindOf)
}

/** From every start at once; on from where nobody was before, first. */
const ways = ({ inputs, alphabet, start, next }: Walk): ReadonlyMap<string, Life> => {
  const found = new Map<string, Life>()
  const seen = new Set<string>()
  const fresh: Found[] = []
  const others: Found[] = []
  const see = (state: AnyMachineSnapshot, life: Life) => {
    const name = stateName(state.value as StateValue)
    const key = JSON.stringify([name, kindOf(state.context)])
    if (seen.has(key)) return
    seen.add(key)
    const isNew = !found.has(name)
    if (isNew) found.set(name, life)
    ;(isNew ? fresh : others).push({ state, life })
  }
  for (let input = 0; input < inputs; input += 1) see(start(input)[0], { input, told: [] })
  for (let vain = 0; vain < patience; vain += 1) {
    const before = found.size
    const one = fresh.shift() ?? others.shift()
    if (!one) break
    for (const [number, told] of alphabet.entries()) {
      const step = next(one.state, told)
      if (step) see(step[0], { ...one.life, told: [...one.life.told, number] })
    }
    if (found.size > before) vain = 0
  }
  return found
}

export const livables: Readonly<Record<MachineName, () => Livable>> = {
  smtpSession: () => livable('smtpSession', smtpNotation),
  pop3Session: () => livable('pop3Session', pop3Notation),
  pop3Proxy: () => livable('pop3Proxy', pop3ProxyNotation),
  smtpProxy: () => livable('smtpProxy', smtpProxyNotation),
  submissionSession: () => livable('submissionSession', submissionNotation),
}
