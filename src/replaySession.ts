import { readTranscript, type Step } from '../actors/readTranscript.ts'
import { type MachineStep, rerun } from '../actors/replay.ts'
import { GatewayError } from './core/errors.ts'
import type { EventData, Recorded } from './core/events.ts'
import type { SessionId } from './core/ids.ts'
import { transcriptDigest } from './core/transcriptDigest.ts'

export type Verdict = {
  /**
   * `consistent`: the machine, run again, comes to the same states, replies and end. `inconsistent`: it does not.
   * `damaged`: the transcript is not the one that was written. `not-comparable`: the machine's version that wrote it is
   * gone. `not-recorded`: there is none.
   */
  readonly verdict: 'consistent' | 'inconsistent' | 'damaged' | 'not-comparable' | 'not-recorded'
  /** One sentence. */
  readonly because: string
  /** The machine and its version; null where no transcript can be read. */
  readonly machine: { readonly name: string; readonly version: string } | null
  /** The session went on beyond what was recorded. */
  readonly truncated: boolean
  /** As recorded. */
  readonly steps: readonly Step[]
  /** The first step where machine and record differ, counted from 0, and what the machine does there. */
  readonly difference: { readonly step: number; readonly machine: MachineStep | null } | null
}

export type SessionReplay = Verdict & {
  readonly sessionId: SessionId
  readonly opened: (EventData['SessionOpened'] & { readonly at: string }) | null
  readonly closed: Pick<EventData['SessionClosed'], 'outcome' | 'octetsIn' | 'octetsOut'> & { readonly at: string }
}

/** Judges a session by the events of its stream. Throws `session-unknown` without any, `session-open` without an end. */
export const replaySession = (sessionId: SessionId, events: readonly Recorded[]): SessionReplay => {
  if (events.length === 0) throw new GatewayError('session-unknown')
  const opened = events.find((event) => event.type === 'SessionOpened')
  const closed = events.find((event) => event.type === 'SessionClosed')
  if (!closed) throw new GatewayError('session-open')
  const { outcome, octetsIn, octetsOut } = closed.data
  return {
    sessionId,
    opened: opened ? { ...opened.data, at: opened.metadata.at } : null,
    closed: { outcome, octetsIn, octetsOut, at: closed.metadata.at },
    ...judge(sessionId, closed.data),
  }
}

const none = { machine: null, truncated: false, steps: [], difference: null } as const

/** Compares a session's end, as the log has it, with what its machine does when it is run again. */
export const judge = (sessionId: string, closed: EventData['SessionClosed']): Verdict => {
  const { transcript, transcriptSha256, outcome } = closed
  if (typeof transcript !== 'string')
    return { ...none, verdict: 'not-recorded', because: 'no transcript was left: the gateway ended before the session' }
  const digest = transcriptDigest(transcript)
  if (digest !== transcriptSha256)
    return { ...none, verdict: 'damaged', because: `the transcript's SHA-256 is ${digest}, not the recorded one` }
  const written = readTranscript(transcript)
  if (written?.sessionId !== sessionId)
    return { ...none, verdict: 'damaged', because: 'the transcript is not one of this session, in its canonical form' }

  const { steps, truncated } = written
  const machine = { name: written.machine, version: written.version }
  const found = { machine, truncated, steps, difference: null }
  const result = rerun(written, outcome)
  switch (result.is) {
    case 'consistent':
      return { ...found, verdict: 'consistent', because: consistentBecause(steps.length, truncated) }
    case 'notComparable':
      return {
        ...found,
        verdict: 'not-comparable',
        because: `this version of Sealpost does not have version ${machine.version} of the machine ${machine.name}`,
      }
    case 'otherEnd':
      return { ...found, verdict: 'inconsistent', because: otherEndBecause(outcome, result.machine) }
    case 'inconsistent':
      return {
        ...found,
        verdict: 'inconsistent',
        because: differenceBecause(result.step, result.machine),
        difference: { step: result.step, machine: result.machine ?? null },
      }
  }
}

const consistentBecause = (steps: number, truncated: boolean) => {
  const same = `the machine, run again, comes to the same states and replies in all ${steps} recorded steps`
  return truncated ? `${same}; the session went on after them` : `${same}, and to the same end`
}

const otherEndBecause = (outcome: string, machine: string | undefined) =>
  machine === undefined
    ? `the log says that the session ended (${outcome}), but after all recorded steps the machine is not over`
    : `the log says that the session ended (${outcome}), the machine ends with ${machine}`

const differenceBecause = (step: number, machine: MachineStep | undefined) =>
  machine === undefined
    ? `step ${step} is nothing that the machine could have been told there`
    : `at step ${step} the machine comes to ${[machine.state, ...machine.replies].join(' ')}`
