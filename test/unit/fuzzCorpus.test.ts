import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { corpusOf } from '../fuzz/corpus.ts'
import { targets } from '../fuzz/targets.ts'

/** They take a process of their own, or seconds to begin. */
const slow = ['gateway', 'machines']

// What fuzzing has found stays found: every kept input is tried again.
for (const [name, load] of Object.entries(targets).filter(([name]) => !slow.includes(name))) {
  const corpus = corpusOf(name)
  test(`${name}: every kept input passes`, async () => {
    const target = await (await load())(Object.values(corpus))
    for (const [what, input] of Object.entries(corpus))
      try {
        await target.check(input)
      } catch (cause) {
        throw new Error(what, { cause })
      }
    await target.close?.()
  })
}

test('there is a corpus for each target, and for nothing else', () => {
  const kept = readdirSync(join(import.meta.dirname, '../vectors/fuzz')).map((file) => file.replace(/\.json$/, ''))
  assert.equal(kept.toSorted(), Object.keys(targets).toSorted())
})

test.run()
