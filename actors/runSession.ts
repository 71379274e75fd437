import type { AnyStateMachine, EmittedFrom, EventFrom, InputFrom, StateValue } from 'xstate'
import { readyOrOver, startSession } from './session.ts'
import { type Notation, startTranscript, stateName } from './transcript.ts'

/** A machine that runs for one connection, and its transcript. */
export type RunningSession<Event> = {
  /** Nothing happens when it is over. */
  send(event: Event): void
  is(tag: 'ready' | 'response' | 'chunks'): boolean
  isActive(): boolean
  /** `open.transaction.mailed`. */
  state(): string
  /** Resolves when it takes the next command, or is over. */
  readyOrOver(): Promise<boolean>
  /** The transcript in its canonical form; nothing may follow. */
  transcript(): string
}

export type SessionRun<M extends AnyStateMachine> = {
  /** Has it with its work provided, where it invokes any. */
  readonly machine: M
  readonly sessionId: string
  readonly input: InputFrom<M>
  /** Octets of the transcript. */
  readonly limit: number
  /** Milliseconds, from any moment on. */
  readonly now: () => number
  readonly onEmit: (emitted: EmittedFrom<M>) => void
  readonly onDone: () => void
  /** As that of `startSession`. */
  readonly onError: (error: unknown) => void
}

// Every machine's snapshot has these; the library's type for an open M does not say so.
type Snapshot = { readonly status: string; readonly value: StateValue; hasTag(tag: string): boolean }

/** Starts a machine and its notes. What it emits at once is emitted before this returns. */
export const runSession = <M extends AnyStateMachine, Event>(
  notation: Notation<M, Event>,
  { machine, sessionId, input, limit, now, onEmit, onDone, onError }: SessionRun<M>,
): RunningSession<EventFrom<M>> => {
  const transcript = startTranscript(notation, { sessionId, input, limit, now })
  const actor = startSession(machine, { input, transcript, onEmit, onDone, onError })
  const snapshot = () => actor.getSnapshot() as Snapshot
  const isActive = () => snapshot().status === 'active'
  return {
    send: (event) => {
      if (isActive()) actor.send(event)
    },
    is: (tag) => snapshot().hasTag(tag),
    isActive,
    state: () => stateName(snapshot().value),
    readyOrOver: () => readyOrOver(actor),
    transcript: () => transcript.text(),
  }
}
