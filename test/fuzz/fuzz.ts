// Tries the parts of the gateway that take what others have written: npm run fuzz (ops/docs/fuzzing.md).
import { createHash, randomInt } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { newNote, noteOf } from './note.ts'
import type { Json } from './target.ts'
import { targets } from './targets.ts'
import type { Result, Task, Told } from './worker.ts'

const usage = `npm run fuzz [-- --seconds N] [--target NAME]… [--seed N] [--input FILE] [--list]`
/** The part of every run that is the same. */
const fixedSeed = 1
/** Milliseconds of processor time in which a thread must come to its next input, or it hangs: a busy machine is no hang. */
const patience = 20_000
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

type Failure = { readonly input: Json | undefined; readonly why: string }
type Ran = { readonly failures: readonly Failure[]; readonly result: Result | undefined }

const processorTime = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Runs a target in a thread of its own, which may hang or die. */
const runTarget = (task: Omit<Task, 'note'>): Promise<Ran> =>
  new Promise((resolve) => {
    const shared = newNote()
    const note = noteOf(shared)
    const found: Failure[] = []
    const worker = new Worker(join(import.meta.dirname, 'worker.ts'), { workerData: { ...task, note: shared } })
    const end = (result?: Result) => {
      clearInterval(watch)
      void worker.terminate()
      resolve({ failures: found, result })
    }
    const fail = (why: string) => {
      found.push({ input: note.count() === 0 ? undefined : note.read(), why })
      end()
    }
    let [seen, since] = [-1, 0]
    const watch = setInterval(() => {
      const count = note.count()
      if (count !== seen) [seen, since] = [count, processorTime()]
      else if (processorTime() - since > patience) fail(`hangs: nothing in ${patience} ms of processor time`)
    }, 500)
    worker.on('message', (told: Told) => {
      if (told.is === 'failed') found.push(told)
      else end(told.result)
    })
    worker.on('error', (error) => fail(`the thread died: ${error instanceof Error ? error.stack : String(error)}`))
  })

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
  console.log(`seeds ${seeds.join(' and ')}; ${names.length} targets, ${seconds} s together`)
  console.log('target               inputs     speed   dearest    growth')
  let failed = 0
  for (const name of names) {
    const one = input === undefined ? {} : { input: JSON.parse(readFileSync(input, 'utf8')) as Json }
    const { failures, result } = await runTarget({ name, seconds: seconds / names.length, seeds, ...one })
    if (result) console.log(figures(name, result))
    if (result?.states && names.length === 1) console.log(`never: ${result.states.missed.join(', ')}`)
    for (const failure of failures) keep(name, failure)
    failed += failures.length
  }
  console.log(failed === 0 ? 'nothing found' : `${failed} found`)
  process.exitCode = failed === 0 ? 0 : 1
}
