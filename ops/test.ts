// Runs the whole suite, or the files that match the regular expression given, several at once, and prints last which files
// took longest, once more what failed, and how many tests passed, failed and were skipped.
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, sep } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const root = join(import.meta.dirname, '..')
const pattern = new RegExp(process.argv[2] ?? '', 'i')

/** Folders whose files last about as long as a process takes to start: so many of them share one. */
const short: Readonly<Record<string, number>> = { wire: 6, unit: 12 }
/** Begun first, these before those: their files last longest, and nothing is to be waited for at the end. */
const long = ['crash', 'gateway', 'peers']
/** Processes at once: many tests wait, for a process that they have started or for a time limit. */
const atOnce = availableParallelism() + 2
/** Milliseconds after which a process is ended: it hangs. */
const longest = 1_800_000
/** So many of the slowest files are told. */
const told = 10

const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.test.ts') && pattern.test(file),
)
const folderOf = (file: string) => file.split(sep)[0] ?? ''

const inGroups = (files: readonly string[], size: number) =>
  Array.from({ length: Math.ceil(files.length / size) }, (_, index) => files.slice(index * size, (index + 1) * size))

type Outcome = {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** What was printed of each test that failed. */
  readonly failures: readonly string[]
  /** Milliseconds that each file took, the first one with the start of the process. */
  readonly times: readonly (readonly [file: string, milliseconds: number])[]
}

const running = new Set<ChildProcess>()
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')))

const env: NodeJS.ProcessEnv = {
  // What the gateway's own start keeps for itself: most of a test's process is the same code.
  NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/sealpost'),
  ...process.env,
}

/** One process of the test runner. What it prints is printed when it ends, so that no two mix. */
const run = (files: readonly string[]) =>
  new Promise<Outcome>((resolve) => {
    const wanted = `^(?:${files.map((file) => RegExp.escape(file)).join('|')})$`
    const colour = process.stdout.isTTY ? '--color' : '--no-color'
    const child = spawn(process.execPath, ['node_modules/uvu/bin.js', colour, 'test', wanted], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: longest,
      killSignal: 'SIGKILL',
    })
    running.add(child)
    const clock = stopwatch(files)
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        clock.heard(output)
      })
    child.on('close', (code, signal) => {
      running.delete(child)
      process.stdout.write(output)
      const outcome = { ...outcomeIn(output), times: clock.times() }
      const ended = code === 0 || outcome.failed > 0
      const early = `  ended before its tests did (${signal ?? code}): ${files.join(', ')}`
      if (!ended) console.log(early)
      resolve(ended ? outcome : { ...outcome, failed: 1, failures: [early] })
    })
  })

/** A file's time begins when its name is printed, and ends with the next one's. */
const stopwatch = (files: readonly string[]) => {
  const begun = new Map(files.slice(0, 1).map((file) => [file, performance.now()]))
  return {
    heard: (output: string) => {
      for (const file of files) if (!begun.has(file) && output.includes(file)) begun.set(file, performance.now())
    },
    times: () => {
      const moments = [...begun.values(), performance.now()]
      return [...begun.keys()].map((file, index) => [file, (moments[index + 1] ?? 0) - (moments[index] ?? 0)] as const)
    },
  }
}

const outcomeIn = (output: string) => {
  const text = stripVTControlCharacters(output)
  const figure = (label: string) => Number(new RegExp(`^\\s*${label}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)
  const [total, passed, skipped] = [figure('Total'), figure('Passed'), figure('Skipped')]
  const failures = text.match(/^ +FAIL  .*(?:\n(?!\n\n).*)*/gm) ?? []
  return { passed, failed: total - passed, skipped, failures }
}

const groups = [...Map.groupBy(files.toSorted(), folderOf)].flatMap(([folder, of]) => inGroups(of, short[folder] ?? 1))
const turnOf = ([file = '']: readonly string[]) => {
  const turn = long.indexOf(folderOf(file))
  return turn < 0 ? long.length : turn
}
const waiting = groups.toSorted((one, other) => turnOf(one) - turnOf(other) || one.length - other.length).values()
const outcomes: Outcome[] = []
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (const group of waiting) outcomes.push(await run(group))
  }),
)
const slowest = outcomes.flatMap(({ times }) => times).toSorted(([, one], [, other]) => other - one)
if (slowest.length > told) {
  console.log(`The slowest of ${slowest.length} files, in seconds:`)
  for (const [file, time] of slowest.slice(0, told)) console.log(`${(time / 1000).toFixed(1).padStart(7)}  ${file}`)
}
const failures = outcomes.flatMap(({ failures }) => failures)
if (failures.length > 0) console.log(`What failed:\n${failures.join('\n\n')}\n`)
const sum = (of: 'passed' | 'failed' | 'skipped') => outcomes.reduce((total, outcome) => total + outcome[of], 0)
console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`)
process.exitCode = sum('failed') === 0 && sum('passed') > 0 ? 0 : 1
