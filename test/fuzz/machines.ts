import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { readTranscript } from '../../actors/readTranscript.ts'
import { rerun } from '../../actors/replay.ts'
import { livables } from './machineLives.ts'
import { type MachineName, statesKnown } from './states.ts'
import { target } from './target.ts'

type Drawn = {
  readonly machine: MachineName
  /** The state that it is led into. */
  readonly opening: string
  /** What it is told there, by numbers. */
  readonly told: readonly number[]
}

/** The machines themselves, from each of their states: whatever peer, shell and works do, in any order, they stay in their states and can be run again. */
export const machines = target<Drawn>((corpus) => {
  const names = Object.keys(livables) as MachineName[]
  const opened = new Map(names.map((name) => [name, livables[name]()]))
  const openings = [...opened].flatMap(([machine, { openings }]) =>
    [...openings.keys()].map((opening) => ({ machine, opening })),
  )
  const known = statesKnown(...names)
  const reached = new Set<string>()
  return {
    inputs: fc.oneof(
      {
        weight: 20,
        arbitrary: fc
          .record({ of: fc.constantFrom(...openings), told: fc.array(fc.nat(500), { maxLength: 25, size: 'max' }) })
          .map(({ of, told }) => ({ ...of, told })),
      },
      { weight: 1, arbitrary: fc.constantFrom(...corpus) },
    ),
    costs: 200,
    states: { known, reached },
    check: ({ machine, opening, told }) => {
      const livable = opened.get(machine)
      const way = livable?.openings.get(opening)
      assert.ok(livable && way, `${machine} comes to ${opening}`)
      const { transcript, outcome, states } = livable.live({ ...way, told: [...way.told, ...told] })
      for (const state of states) {
        assert.ok(known.has(`${machine} ${state}`), `${machine} has no state ${state}`)
        reached.add(`${machine} ${state}`)
      }
      const written = readTranscript(transcript)
      assert.ok(written, transcript)
      assert.equal(rerun(written, outcome), { is: 'consistent' }, transcript)
    },
  }
})
