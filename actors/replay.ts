import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EmittedFrom,
  type EventFromLogic,
  initialTransition,
  type SnapshotFrom,
  type StateValue,
  transition,
} from 'xstate'
import type { SessionOutcome } from '../src/core/events.ts'
import { pop3Notation } from './pop3Notation.ts'
import { pop3ProxyNotation } from './pop3ProxyNotation.ts'
import type { Step, WrittenSession } from './readTranscript.ts'
import { smtpNotation } from './smtpNotation.ts'
import { smtpProxyNotation } from './smtpProxyNotation.ts'
import { submissionNotation } from './submissionNotation.ts'
import { defect, type Notation, stateName } from './transcript.ts'

/** Where a machine comes to when it is told what a transcript says. */
export type MachineStep = { readonly state: string; readonly replies: readonly string[] }

export type Rerun =
  | { readonly is: 'consistent' }
  /** `step` counts from 0; that many steps agree. `machine` is undefined where it cannot have been told such a thing. */
  | { readonly is: 'inconsistent'; readonly step: number; readonly machine: MachineStep | undefined }
  /** All steps agree, but the session cannot have ended as the log says. `machine` is undefined while it is not over. */
  | { readonly is: 'otherEnd'; readonly machine: SessionOutcome | undefined }
  /** This version of the gateway does not have the machine in the version that wrote. */
  | { readonly is: 'notComparable' }

/**
 * Runs what was written down through the same machine, step by step, by pure transitions: no socket, no work, no clock.
 * `outcome` is how the log says that the session ended.
 */
export const rerun = (written: WrittenSession, outcome: SessionOutcome): Rerun => {
  switch (written.machine) {
    case 'smtpSession':
      return rerunBy(smtpNotation, written, outcome)
    case 'pop3Session':
      return rerunBy(pop3Notation, written, outcome)
    case 'pop3Proxy':
      return rerunBy(pop3ProxyNotation, written, outcome)
    case 'submissionSession':
      return rerunBy(submissionNotation, written, outcome)
    case 'smtpProxy':
      return rerunBy(smtpProxyNotation, written, outcome)
    default:
      return { is: 'notComparable' }
  }
}

const rerunBy = <M extends AnyStateMachine, Event>(
  notation: Notation<M, Event>,
  written: WrittenSession,
  outcome: SessionOutcome,
): Rerun => {
  if (notation.machine.version !== written.version) return { is: 'notComparable' }
  const run = runner(notation, written.input)
  for (const [step, noted] of written.steps.entries()) {
    const machine = run.tell(noted.event)
    if (!machine || !agrees(machine, noted)) return { is: 'inconsistent', step, machine }
  }
  const ended = run.outcome()
  // A session whose machine is not over has ended by a defect of its shell.
  if (written.truncated || ended === outcome || (!ended && outcome === 'failed')) return { is: 'consistent' }
  return { is: 'otherEnd', machine: ended }
}

const agrees = (machine: MachineStep, noted: Step) =>
  machine.state === noted.state &&
  machine.replies.length === noted.replies.length &&
  machine.replies.every((reply, index) => reply === noted.replies[index])

type Executable = { readonly type: string; readonly params?: unknown }

/** `emit` is the library's own action, which the machine's type of its actions leaves out. */
const emittedBy = <M extends AnyStateMachine>(actions: readonly Executable[]) =>
  actions
    .filter(({ type }) => type === 'xstate.emit')
    .map(({ params }) => (params as { readonly event: EmittedFrom<M> }).event)

const runner = <M extends AnyStateMachine, Event>(
  { machine, readInput, writeInput, readEvent, writeEvent, replyCode, outcome }: Notation<M, Event>,
  inputText: string,
) => {
  let snapshot: AnyMachineSnapshot | undefined
  let emitted: readonly EmittedFrom<M>[] = []

  const take = (next: AnyMachineSnapshot, actions: readonly Executable[]): MachineStep => {
    snapshot = next
    emitted = emittedBy<M>(actions)
    return {
      state: stateName(next.value as StateValue),
      replies: emitted.map(replyCode).filter((code) => code !== undefined),
    }
  }
  const start = (): MachineStep | undefined => {
    const input = readInput(inputText)
    // The library's types of an open M are those of any machine.
    if (input === undefined || writeInput(input) !== inputText) return undefined
    return take(...(initialTransition(machine, input as never) as Transition))
  }
  return {
    /** Nothing starts it. Undefined for what it cannot be told: not by that notation, or not any more. */
    tell: (text: string): MachineStep | undefined => {
      if (text === '') return start()
      const event = readEvent(text)
      if (snapshot?.status !== 'active' || event === undefined || writeEvent(event) !== text) return undefined
      try {
        return take(...(transition(machine, snapshot as SnapshotFrom<M>, event as EventFromLogic<M>) as Transition))
      } catch {
        snapshot = undefined
        return { state: defect, replies: [] }
      }
    },
    outcome: (): SessionOutcome | undefined =>
      snapshot?.status === 'done' ? outcome(snapshot as SnapshotFrom<M>, emitted) : undefined,
  }
}

type Transition = [AnyMachineSnapshot, readonly Executable[]]
