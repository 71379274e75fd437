import { setTimeout as delay } from 'node:timers/promises'
import { type Fault, nothingMore } from '../fault.ts'
import { filesVault, inflictedOn } from '../kinds.ts'
import { hasInjected, type Injection, underStrace } from '../strace.ts'
import { filesOf, patience, traceIn } from './steps.ts'

type Failing = Pick<Injection, 'calls' | 'what'> &
  Pick<Fault, 'name' | 'how' | 'outcomes'> & {
    readonly of: keyof ReturnType<typeof filesOf>
    readonly among: readonly [number, number]
    /** How many calls in a row fail, at most. */
    readonly times: number
  }

/** Some calls fail under load, and succeed again. */
const failing = ({ name, how, outcomes, calls, what, of, among, times }: Failing): Fault => ({
  name,
  how,
  outcomes,
  needs: ['strace'],
  inflict: async (world) => {
    const { random } = world
    const first = random.whole(...among)
    const when = `${first}..${first + random.whole(0, times - 1)}`
    const injection = { calls, what, when, paths: filesOf(world)[of], output: traceIn(world) }
    await world.start({ under: underStrace(injection) })
    const load = world.load()
    for (const until = Date.now() + patience; !hasInjected(injection.output) && Date.now() < until;) await delay(20)
    await load.acknowledged(random.whole(10, 40), 2_000)
    await load.stop()
    if (!hasInjected(injection.output)) throw new Error(`the load did not come to call ${first}`)
    return nothingMore
  },
})

const writes = { calls: ['pwrite64'] }
const flushes = { calls: ['fsync'], what: 'error=EIO', times: 1 }
const broken = { ...writes, what: 'error=EIO', times: 3 }
const full = { ...writes, what: 'error=ENOSPC', times: 12, outcomes: ['went on'] } as const

const ofDatabases: readonly Failing[] = [
  {
    ...flushes,
    name: 'failed flush of the log',
    of: 'log',
    among: [6, 30],
    outcomes: ['stopped'],
    how: 'one `fsync` of the log gives EIO; the next would succeed',
  },
  {
    ...flushes,
    name: 'failed flush of the vault',
    of: 'pack',
    among: [2, 30],
    outcomes: ['stopped'],
    how: 'one `fsync` of the pack gives EIO; the next would succeed',
  },
  {
    ...flushes,
    name: 'failed flush of the views',
    of: 'views',
    among: [1, 1],
    outcomes: ['went on'],
    how: 'one `fsync` of the views gives EIO',
  },
  {
    ...broken,
    name: 'failed write to the log',
    of: 'log',
    among: [10, 150],
    outcomes: ['went on', 'stopped'],
    how: 'one to three writes to the log give EIO',
  },
  {
    ...broken,
    name: 'failed write to the vault',
    of: 'pack',
    among: [5, 200],
    outcomes: ['went on', 'stopped'],
    how: 'one to three writes to the pack give EIO',
  },
  {
    ...broken,
    name: 'failed write to the views',
    of: 'views',
    among: [5, 100],
    outcomes: ['went on'],
    how: 'one to three writes to the views give EIO',
  },
  {
    ...full,
    name: 'no room for the log',
    of: 'log',
    among: [10, 150],
    how: 'up to twelve writes to the log give ENOSPC',
  },
  {
    ...full,
    name: 'no room for the vault',
    of: 'pack',
    among: [5, 200],
    how: 'up to twelve writes to the pack give ENOSPC',
  },
  {
    ...full,
    name: 'no room for the views',
    of: 'views',
    among: [5, 100],
    how: 'up to twelve writes to the views give ENOSPC',
  },
]

const ofObjects: readonly Failing[] = [
  {
    ...flushes,
    calls: ['fdatasync'],
    name: 'failed flush of an object',
    of: 'objects',
    among: [1, 8],
    outcomes: ['stopped'],
    how: "one `fdatasync` of a message's file gives EIO; the next would succeed",
  },
  {
    ...flushes,
    name: 'failed flush of a directory',
    of: 'days',
    among: [1, 8],
    outcomes: ['stopped'],
    how: 'one `fsync` of the directory of messages gives EIO; the next would succeed',
  },
  {
    ...full,
    calls: ['fdatasync', 'rename'],
    name: 'no room for objects',
    of: 'objects',
    among: [1, 8],
    how: "up to twelve flushes or namings of messages' files give ENOSPC, in each thread",
  },
]

export const failures: readonly Fault[] = [
  ...ofDatabases.map(failing),
  ...ofObjects.map(failing).map(inflictedOn(filesVault)),
]
