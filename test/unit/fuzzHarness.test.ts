import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runTarget } from '../fuzz/runTarget.ts'

const run = (name: string, patience?: number) => {
  const from = import.meta.resolve('../fuzz/planted.ts')
  return runTarget({ from, name, corpus: {}, seconds: 2, seeds: [1] }, patience)
}

/** What is said of each planted defect, and the input that shows it. */
const defects: Readonly<Record<string, readonly [why: RegExp, input?: number]>> = {
  throws: [/^Error: seven/, 7],
  rejects: [/^the thread died: Error: nobody hears it/, 7],
  isDear: [/ms of processor time, where 50 are allowed/, 7],
  waits: [/hangs: nothing happened in 1000 ms/, 7],
  leaks: [/the heap grew by \d+ octets/],
  strays: [/no machine has the state machine elsewhere/, 7],
  endsBadly: [/^Error: not clean/],
}

test('fuzzing finds a crash, a hang, memory that grows and a state that is none, and nothing where there is nothing', async () => {
  const runs = Object.keys(defects).map(async (name) => [name, (await run(name)).failures] as const)
  const sound = await run('sound')
  assert.equal(sound.failures, [])
  assert.ok(sound.result && sound.result.inputs > 0)
  for (const [name, failures] of await Promise.all(runs)) {
    const [why = /$^/, input] = defects[name] ?? []
    assert.is(failures.length, 1, name)
    assert.match(failures[0]?.why ?? '', why, name)
    assert.is(failures[0]?.input, input, name)
  }
})

test('fuzzing finds a thread that never comes back', async () => {
  const { failures } = await run('spins', 1000)
  assert.match(failures[0]?.why ?? '', /^hangs: nothing in 1000 ms of processor time/)
  assert.is(failures[0]?.input, 7)
})

test.run()
