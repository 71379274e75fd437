import type { AnyEventObject, AnyStateMachine, EmittedFrom, InputFrom, SnapshotFrom, StateValue } from 'xstate'
import type { SessionOutcome } from '../src/core/events.ts'
import { boundedText } from './boundedText.ts'

/** How the work that a machine invokes ends, as the machine itself is told. */
export type WorkEvent<Name extends string, Output> =
  | { readonly type: `xstate.done.actor.${Name}`; readonly output: Output }
  | { readonly type: `xstate.error.actor.${Name}`; readonly error: unknown }

/**
 * How one kind of machine is written down: its input, its events, its replies, each by an allow-list of what its guards
 * and the codes of its replies depend on. What is written holds no typed name, no address, no text and no credential;
 * read again, it drives the machine through the same states to the same reply codes. Words of visible ASCII other than
 * `>`, one space between two.
 */
export type Notation<M extends AnyStateMachine, Event> = {
  readonly machine: M
  readonly writeInput: (input: InputFrom<M>) => string
  /** Undefined for what makes no sense; of `writeInput`'s and `writeEvent`'s texts each is understood, and only those count. */
  readonly readInput: (text: string) => InputFrom<M> | undefined
  readonly writeEvent: (event: Event) => string
  readonly readEvent: (text: string) => Event | undefined
  /** The code of a reply; undefined for what is none. */
  readonly replyCode: (emitted: EmittedFrom<M>) => string | undefined
  /** How a session ended whose machine is over and emitted this with its last step. */
  readonly outcome: (over: SnapshotFrom<M>, emitted: readonly EmittedFrom<M>[]) => SessionOutcome | undefined
}

/** A session's notes while it runs: what its machine is told, where that leads, what it replies. */
export type Transcript = {
  /** The machine has started and is in this state. */
  started(state: StateValue): void
  /** It was told this and is now in that state; undefined: it broke. */
  heard(event: AnyEventObject, state: StateValue | undefined): void
  /** It emitted this upon what it was told last. */
  emitted(emitted: AnyEventObject): void
  /** Everything so far in the canonical form (ops/docs/format.md); nothing may follow. */
  text(): string
}

export type TranscriptStart<M extends AnyStateMachine> = {
  readonly sessionId: string
  readonly input: InputFrom<M>
  /** Octets of the whole text. What comes when it is full is left out, and the text says so. */
  readonly limit: number
  /** Milliseconds, from any moment on. */
  readonly now: () => number
}

/** What stands in the place of a state when the machine broke. */
export const defect = 'defect'

/** `open.transaction.mailed`; no machine of ours has parallel states. */
export const stateName = (value: StateValue): string => {
  if (typeof value === 'string') return value
  for (const name in value) return `${name}.${stateName(value[name] ?? '')}`
  return ''
}

const lastLines = { complete: 'end complete\n', truncated: 'end truncated\n' }

export const startTranscript = <M extends AnyStateMachine, Event>(
  { machine, writeInput, writeEvent, replyCode }: Notation<M, Event>,
  { sessionId, input, limit, now }: TranscriptStart<M>,
): Transcript => {
  const began = now()
  const lines = boundedText(limit - lastLines.truncated.length)
  let ending: keyof typeof lastLines = 'complete'
  let elapsed = 0
  let line = `transcript 1\nsession ${sessionId}\nmachine ${machine.id} ${machine.version ?? ''}\ninput ${writeInput(input)}`

  const next = (of: string) => {
    if (ending === 'complete' && !lines.push(line)) ending = 'truncated'
    line = of
  }
  return {
    started: (state) => next(`0 > ${stateName(state)}`),
    heard: (event, state) => {
      if (ending === 'truncated') return
      // A clock that is set back does not make a session run backwards.
      elapsed = Math.max(elapsed, now() - began)
      // A machine is told no other events than those of its type and the ends of its work.
      next(`${elapsed} ${writeEvent(event as Event)} > ${state === undefined ? defect : stateName(state)}`)
    },
    emitted: (emitted) => {
      const code = replyCode(emitted as EmittedFrom<M>)
      if (code !== undefined) line += ` ${code}`
    },
    text: () => {
      next('')
      return lines.toString() + lastLines[ending]
    },
  }
}
