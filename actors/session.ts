import {
  type Actor,
  type AnyEventObject,
  type AnyStateMachine,
  createActor,
  type EmittedFrom,
  fromPromise,
  type InputFrom,
  type SnapshotFrom,
  type StateValue,
  waitFor,
} from 'xstate'
import type { Transcript } from './transcript.ts'

/** Work that a machine invokes: gets its input and the signal that aborts it, settles with its result. */
export const work = fromPromise

/** A machine's work that no shell has provided yet; the shell's `provide` replaces every one of them. */
export const unwired = () => Promise.reject(new Error('this machine was started without its work'))

export type SessionStart<M extends AnyStateMachine> = {
  readonly input: InputFrom<M>
  /** Every reply and effect that the machine emits, in order. */
  readonly onEmit: (emitted: EmittedFrom<M>) => void
  /** The machine is in a final state: the connection may be closed. */
  readonly onDone: () => void
  /** An action or guard threw: a defect. The session is over; nothing else is. */
  readonly onError: (error: unknown) => void
  /** Notes all of it down. */
  readonly transcript: Transcript
}

/** The same machine, whose steps are noted down. */
const noting = <M extends AnyStateMachine>(machine: M, transcript: Transcript): M => {
  const transition: M['transition'] = (snapshot, event, scope) => {
    let state: StateValue | undefined
    try {
      const next = machine.transition(snapshot, event, scope)
      state = (next as Snapshot).value
      return next
    } finally {
      transcript.heard(event as AnyEventObject, state)
    }
  }
  return Object.create(machine, { transition: { value: transition } }) as M
}

/** Starts one actor for one connection. The only place where actors are created, so that none lacks an observer. */
export const startSession = <M extends AnyStateMachine>(machine: M, start: SessionStart<M>): Actor<M> => {
  const { transcript } = start
  const actor = createActor(noting(machine, transcript), { input: start.input })
  transcript.started((actor.getSnapshot() as Snapshot).value)
  actor.on('*', (emitted: AnyEventObject) => {
    transcript.emitted(emitted)
    start.onEmit(emitted as EmittedFrom<M>)
  })
  actor.subscribe({ complete: start.onDone, error: start.onError })
  return actor.start()
}

// Every machine's snapshot has these; the library's type for an open M does not say so.
type Snapshot = { readonly value: StateValue }
type Settling = { readonly status: string; hasTag(tag: string): boolean }

const isReadyOrOver = (snapshot: unknown) =>
  (snapshot as Settling).status !== 'active' || (snapshot as Settling).hasTag('ready')

/** Resolves when the machine takes the next command (tag `ready`), or is over. Resolves with whether it still runs. */
export const readyOrOver = async <M extends AnyStateMachine>(actor: Actor<M>): Promise<boolean> => {
  const snapshot: SnapshotFrom<M> = actor.getSnapshot()
  const settled: unknown = isReadyOrOver(snapshot) ? snapshot : await waitFor(actor, isReadyOrOver)
  return (settled as Settling).status === 'active'
}
