// Tries the parts of the gateway that take what others have written: npm run fuzz (ops/docs/fuzzing.md).
import { createHash, randomInt } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { corpusOf } from './corpus.ts'
import { type Failure, runTarget } from './runTarget.ts'
import type { Json } from './target.ts'
import { targets } from './targets.ts'
import type { Result } from './worker.ts'

const usage = `npm run fuzz [-- --seconds N] [--target NAME]… [--seed N] [--input FILE] [--list]`
/** The part of every run that is the same. */
const fixedSeed = 1
const failures = 'fuzz-failures'

const optionsOf = (args: readonly string[]) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '60' },
      target: { type: 'string', multiple: true },
      seed: { type: 'string' },
      input: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  })
  const names = values.target ?? Object.keys(targets)
  const [seconds, seed] = [Number(values.seconds), values.seed === undefined ? undefined : Number(values.seed)]
  const unknown = names.find((name) => !Object.hasOwn(targets, name))
  if (unknown !== undefined)
    throw new Error(`there is no target ${unknown}; there are ${Object.keys(targets).join(', ')}`)
  if (!(seconds > 0) || (seed !== undefined && !Number.isSafeInteger(seed))) throw new Error(usage)
  if (values.input !== undefined && names.length !== 1) throw new Error('--input is for one --target')
  return { names, seconds, seed, input: values.input, list: values.list }
}

/** Keeps an input and says how to try it again. */
const keep = (name: string, { input, why }: Failure) => {
  console.log(`\n${name} FAILED: ${why}`)
  if (input === undefined) return
  const json = JSON.stringify(input)
  const file = join(failures, `${name}-${createHash('sha256').update(json).digest('hex').slice(0, 12)}.json`)
  mkdirSync(failures, { recursive: true })
  writeFileSync(file, `${json}\n`)
  console.log(`  input: ${json.length > 600 ? `${json.slice(0, 600)}…` : json}`)
  console.log(`  again: npm run fuzz -- --target ${name} --input ${file}\n`)
}

const figures = (name: string, { inputs, seconds, dearest, growth, states }: Result) =>
  [
    name.padEnd(18),
    String(inputs).padStart(9),
    `${Math.round(inputs / seconds)}/s`.padStart(9),
    `${dearest.toFixed(1)} ms`.padStart(10),
    `${(growth / 1024).toFixed(0)} KiB`.padStart(10),
    states ? `  ${states.reached} states, ${states.missed.length} never` : '',
  ].join('')

const { names, seconds, seed, input, list } = optionsOf(process.argv.slice(2))
if (list) console.log(names.join('\n'))
else {
  const seeds = seed === undefined ? [fixedSeed, randomInt(1_000_000_000)] : [seed]
  const from = import.meta.resolve('./targets.ts')
  console.log(`seeds ${seeds.join(' and ')}; ${names.length} targets, ${seconds} s together`)
  console.log('target               inputs     speed   dearest    growth')
  let failed = 0
  for (const name of names) {
    const one = input === undefined ? {} : { input: JSON.parse(readFileSync(input, 'utf8')) as Json }
    const task = { from, name, corpus: corpusOf(name), seconds: seconds / names.length, seeds, ...one }
    const { failures, result } = await runTarget(task)
    if (result) console.log(figures(name, result))
    if (result?.states && names.length === 1) console.log(`never: ${result.states.missed.join(', ')}`)
    for (const failure of failures) keep(name, failure)
    failed += failures.length
  }
  console.log(failed === 0 ? 'nothing found' : `${failed} found`)
  process.exitCode = failed === 0 ? 0 : 1
}
