import { stripVTControlCharacters } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parentPort, workerData } from 'node:worker_threads'
import fc from 'fast-check'
import { noteOf } from './note.ts'
import type { Corpus, Json, Target } from './target.ts'
import type { Targets } from './targets.ts'

/** What a worker is to do: a target by its name, for so long, from these seeds on; or one input alone. */
export type Task = {
  /** The module that has the target: its URL. */
  readonly from: string
  readonly name: string
  /** Its kept inputs. */
  readonly corpus: Corpus
  readonly seconds: number
  readonly seeds: readonly number[]
  readonly input?: Json
  /** What is being tried now; see `noteOf`. */
  readonly note: SharedArrayBuffer
}

export type Told =
  /** `input` is undefined for what the run as a whole has shown. */
  | { readonly is: 'failed'; readonly input: Json | undefined; readonly why: string }
  | { readonly is: 'over'; readonly result: Result }

export type Result = {
  readonly inputs: number
  readonly seconds: number
  /** Milliseconds of processor time of the dearest input. */
  readonly dearest: number
  /** Octets by which the heap grew in the second half, and how many inputs that was. */
  readonly growth: number
  /** States of the machines that are driven: how many were reached, and which were not. */
  readonly states: { readonly reached: number; readonly missed: readonly string[] } | undefined
}

/** Octets. Code that was compiled late is among them; a leak of a few octets per input gets beyond it within a minute. */
const mostGrowth = 6 * 1024 * 1024
/** Milliseconds in which nothing at all happens to an input: it hangs. A thread that waits for its processor is not idle. */
const usualIdle = 1000
/** The same for what comes before the first input and after the last one. */
const idleAround = 60_000

const { from, name, corpus, seconds, seeds, input: only, note: shared } = workerData as Task
const note = noteOf(shared)
const tell = (told: Told) => parentPort?.postMessage(told)

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const heldMemory = () => {
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Milliseconds in which an input that has failed is made smaller. */
const shrinkTime = 15_000

let [inputs, dearest, shrinking] = [0, 0, false]
const processorTime = () => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** Looks in a row that find nothing happening. */
const looks = 10

/** What the work comes to, unless it hangs. A look that is late finds nothing out: the machine may have stood still. */
const settled = <T>(work: T | Promise<T>, most: number): Promise<T> => {
  const { promise: hung, reject } = Promise.withResolvers<never>()
  const between = most / looks
  let last = performance.eventLoopUtilization()
  let inVain = 0
  const watch = setInterval(() => {
    const current = performance.eventLoopUtilization()
    const { idle, active } = performance.eventLoopUtilization(current, last)
    last = current
    inVain = idle > between * 0.9 && idle + active < between * 1.5 ? inVain + 1 : 0
    if (inVain === looks) reject(new Error(`hangs: nothing happened in ${most} ms`))
  }, between)
  return Promise.race([work, hung]).finally(() => clearInterval(watch))
}

const timed = async (target: Target, input: Json): Promise<number> => {
  const before = processorTime()
  const work = target.check(input)
  if (work) await settled(work, target.idle ?? usualIdle)
  return processorTime() - before
}

/** A state that no machine has is forgotten again, so that only the inputs that lead to it fail. */
const mustStayIn = ({ states }: Target) => {
  const strange = states ? [...states.reached.difference(states.known)] : []
  for (const state of strange) states?.reached.delete(state)
  if (strange.length > 0) throw new Error(`no machine has the state ${strange.join(', ')}`)
}

/** What is dear once may have had the collector's bill; or a busy machine's; what is dear five times is dear. */
const tried = async (target: Target, input: Json) => {
  note.write(input)
  inputs += 1
  let cost = await timed(target, input)
  for (let again = 0; again < 4 && cost > target.costs; again += 1) cost = Math.min(cost, await timed(target, input))
  dearest = Math.max(dearest, cost)
  mustStayIn(target)
  if (cost > target.costs) throw new Error(`${cost.toFixed(1)} ms of processor time, where ${target.costs} are allowed`)
}

/** With what an assertion says of the two that are not the same. */
const reasonOf = (error: unknown) => {
  if (!(error instanceof Error)) return String(error)
  const details = 'details' in error && typeof error.details === 'string' ? stripVTControlCharacters(error.details) : ''
  return `${error.stack ?? error.message}\n${details.slice(0, 4000)}`
}

const telling = async (input: Json | undefined, work: () => Promise<void> | void) => {
  try {
    await work()
  } catch (error) {
    tell({ is: 'failed', input, why: reasonOf(error) })
  }
}
const alone = (target: Target, input: Json) => telling(input, () => tried(target, input))

/** Inputs that are drawn until the time is over, or one has failed. */
const drawn = async (target: Target, from: number, milliseconds: number) => {
  let end = performance.now() + milliseconds
  const property = fc.asyncProperty(target.inputs, async (input) => {
    if (performance.now() >= end) return
    try {
      await tried(target, input)
    } catch (error) {
      // From now on it is made smaller.
      if (!shrinking) end = performance.now() + shrinkTime
      shrinking = true
      throw error
    }
  })
  for (let seed = from; performance.now() < end; seed += 1) {
    // No time limit of the library's: it would leave an input under way beside the next one.
    const { failed, counterexample, errorInstance } = await fc.check(property, { seed, numRuns: 100 })
    if (!failed || counterexample === null) continue
    tell({ is: 'failed', input: counterexample[0], why: reasonOf(errorInstance) })
    return
  }
}

/** Octets by which the heap grew in the second half. */
const drawnInHalves = async (target: Target): Promise<number> => {
  const each = (seconds * 1000) / seeds.length / 2
  let growth = 0
  // The first halves compile and fill what is kept; what grows in the second ones grows for ever.
  for (const half of [0, 1]) {
    const held = heldMemory()
    for (const seed of seeds) if (!shrinking) await drawn(target, seed + half * 1_000_000, each)
    growth = heldMemory() - held
  }
  return growth
}

const mustNotGrow = (growth: number) => {
  if (growth > mostGrowth) throw new Error(`the heap grew by ${growth} octets in the second half`)
}
const close = async (target: Target) => {
  await settled(target.close?.(), idleAround)
  mustStayIn(target)
}

const run = async (): Promise<Result> => {
  const { targets } = (await import(from)) as { readonly targets: Targets }
  const open = await targets[name]?.()
  if (!open) throw new Error(`there is no target ${name}`)
  const target = await settled(open(Object.values(corpus)), idleAround)
  const began = performance.now()
  let growth = 0
  if (only !== undefined) await alone(target, only)
  else {
    for (const input of Object.values(corpus)) await alone(target, input)
    growth = await drawnInHalves(target)
  }
  const took = (performance.now() - began) / 1000
  await telling(undefined, () => mustNotGrow(growth))
  await telling(undefined, () => close(target))
  const { known, reached } = target.states ?? {}
  const states = known && reached && { reached: reached.size, missed: [...known.difference(reached)] }
  return { inputs, seconds: took, dearest, growth, states }
}

tell({ is: 'over', result: await run() })
