/** One step of a session, as it was written down. */
export type Step = {
  /** Milliseconds since the session began. */
  readonly at: number
  /** What the machine was told; empty for its start. */
  readonly event: string
  readonly state: string
  /** Codes of the replies that it gave, in order. */
  readonly replies: readonly string[]
}

export type WrittenSession = {
  readonly sessionId: string
  readonly machine: string
  readonly version: string
  readonly input: string
  readonly steps: readonly Step[]
  /** The session went on, but there was no more room. */
  readonly truncated: boolean
}

const form =
  /^transcript 1\nsession ([\x21-\x7e]+)\nmachine ([A-Za-z\d]+) (\d+)\ninput ([\x20-\x7e]+)\n((?:[\x20-\x7e]+\n)*)end (complete|truncated)\n$/
const stepForm = /^(0|[1-9]\d*) (?:([^ >]+(?: [^ >]+)*) )?> ([A-Za-z.]+)((?: [^ >]+)*)$/

/** A transcript by its form alone; undefined for a text that no recorder has written. */
export const readTranscript = (text: string): WrittenSession | undefined => {
  const [, sessionId, machine, version, input, lines = '', ending] = form.exec(text) ?? []
  if (!sessionId || !machine || !version || !input) return undefined
  const steps = lines.split('\n').slice(0, -1).map(readStep)
  if (!steps.every((step) => step !== undefined) || !isInOrder(steps)) return undefined
  // A session that was written down to its end has begun.
  if (steps.length === 0 && ending === 'complete') return undefined
  return { sessionId, machine, version, input, steps, truncated: ending === 'truncated' }
}

const readStep = (line: string): Step | undefined => {
  const [, at, event = '', state, replies = ''] = stepForm.exec(line) ?? []
  if (!at || !state) return undefined
  return { at: Number(at), event, state, replies: replies.split(' ').slice(1) }
}

/** It starts once, at its beginning, and time does not run backwards. */
const isInOrder = (steps: readonly Step[]) =>
  steps.every(({ at, event }, index) => (event === '') === (index === 0) && at >= (steps[index - 1]?.at ?? at))
