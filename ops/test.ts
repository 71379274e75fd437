// Runs the whole suite, or the files that match the regular expression given, several at once, and prints last how many
// tests passed, failed and were skipped.
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, sep } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const root = join(import.meta.dirname, '..')
const pattern = new RegExp(process.argv[2] ?? String.raw`\.test\.ts$`, 'i')

/** Folders whose files last about as long as a process takes to start: so many of them share one. */
const short: Readonly<Record<string, number>> = { wire: 6, unit: 12 }
/** Processes at once: many tests wait for one that they have started. */
const atOnce = availableParallelism() + 1
/** Milliseconds after which a process is ended: it hangs. */
const longest = 600_000

const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  pattern.test(file),
)
const folderOf = (file: string) => file.split(sep)[0] ?? ''

const inGroups = (files: readonly string[], size: number) =>
  Array.from({ length: Math.ceil(files.length / size) }, (_, index) => files.slice(index * size, (index + 1) * size))

type Outcome = { readonly passed: number; readonly failed: number; readonly skipped: number }

const running = new Set<ChildProcess>()
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')))

/** One process of the test runner. What it prints is printed when it ends, so that no two mix. */
const run = (files: readonly string[]) =>
  new Promise<Outcome>((resolve) => {
    const wanted = `^(?:${files.map((file) => RegExp.escape(file)).join('|')})$`
    const colour = process.stdout.isTTY ? '--color' : '--no-color'
    const child = spawn(process.execPath, ['node_modules/uvu/bin.js', colour, 'test', wanted], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: longest,
      killSignal: 'SIGKILL',
    })
    running.add(child)
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.on('close', (code, signal) => {
      running.delete(child)
      process.stdout.write(output)
      const outcome = outcomeIn(output)
      const ended = code === 0 || outcome.failed > 0
      if (!ended) console.log(`  ended before its tests did (${signal ?? code}): ${files.join(', ')}`)
      resolve(ended ? outcome : { ...outcome, failed: 1 })
    })
  })

const outcomeIn = (output: string): Outcome => {
  const text = stripVTControlCharacters(output)
  const figure = (label: string) => Number(new RegExp(`^\\s*${label}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)
  const [total, passed, skipped] = [figure('Total'), figure('Passed'), figure('Skipped')]
  return { passed, failed: total - passed, skipped }
}

const groups = [...Map.groupBy(files.toSorted(), folderOf)].flatMap(([folder, of]) => inGroups(of, short[folder] ?? 1))
/** The short ones last, so that nothing is waited for at the end. */
const waiting = groups.toSorted((a, b) => a.length - b.length).values()
const outcomes: Outcome[] = []
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (const group of waiting) outcomes.push(await run(group))
  }),
)
const sum = (of: keyof Outcome) => outcomes.reduce((total, outcome) => total + outcome[of], 0)
console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`)
process.exitCode = sum('failed') === 0 && sum('passed') > 0 ? 0 : 1
