import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Fault, nothingMore } from '../fault.ts'
import { hasInjected, type Injection, underStrace } from '../strace.ts'
import type { World } from '../world.ts'
import { filesOf, traceIn } from './steps.ts'

type Failing = Pick<Injection, 'calls' | 'what'> &
  Pick<Fault, 'name' | 'how' | 'outcomes'> & {
    readonly of: 'log' | 'pack' | 'views'
    readonly among: readonly [number, number]
    /** How many calls in a row fail, at most. */
    readonly times: number
  }

/** Milliseconds in which the load comes to the calls that fail. */
const patience = 20_000

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

const failures: readonly Failing[] = [
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

const must = (program: string, ...args: readonly string[]) => {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
}

const fullDisk: Fault = {
  name: 'full disk',
  how: 'the file system of the data directory fills up under load, and has room again',
  outcomes: ['went on'],
  needs: ['mount'],
  inflict: async (world) => {
    const { data, random, scratch } = world
    const kept = join(scratch, 'data')
    must('cp', '-a', data, kept)
    must('mount', '-t', 'tmpfs', '-o', `size=${random.whole(60, 90)}m,mode=700`, 'tmpfs', data)
    world.undo.push(() => spawnSync('umount', ['-l', data]))
    must('cp', '-a', `${kept}/.`, data)
    // Nothing held back, so that it meets the very end of the disk; or what ordinary gateways hold back, in small.
    await world.start({ env: { SEALPOST_LIMITS_DISK_RESERVE: random.one(['0', '20MiB']) } })
    const load = world.load()
    await load.acknowledged(random.whole(5, 40), 10_000)
    const ballast = join(data, 'ballast')
    fill(ballast)
    await delay(random.whole(300, 1_500))
    rmSync(ballast)
    await load.acknowledged(10, 10_000)
    await load.stop()
    return nothingMore
  },
}

const fill = (path: string) => {
  // To the last octet that there is room for.
  spawnSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=64k'], { stdio: 'ignore' })
}

const readOnlyVault: Fault = {
  name: 'vault read-only',
  how: "the vault's directory can only be read, from before the day's first mail on, and can be written again",
  outcomes: ['went on'],
  needs: ['mount'],
  inflict: async (world) => {
    const { data, random } = world
    const vault = join(data, 'vault')
    await world.start()
    must('mount', '--bind', vault, vault)
    const over = () => spawnSync('umount', ['-l', vault])
    world.undo.push(over)
    must('mount', '-o', 'remount,bind,ro', vault)
    const load = world.load()
    await load.acknowledged(1, random.whole(300, 1_500))
    over()
    world.undo.pop()
    await load.acknowledged(10, 10_000)
    await load.stop()
    return nothingMore
  },
}

const strangeVault: Fault = {
  name: 'vault away',
  how: "another, empty file system is mounted over the vault's directory under load, and goes again",
  outcomes: ['went on'],
  needs: ['mount'],
  inflict: async (world: World) => {
    const { data, random } = world
    const vault = join(data, 'vault')
    await world.start()
    const load = world.load()
    await load.acknowledged(random.whole(0, 20), 10_000)
    must('mount', '-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', vault)
    const over = () => spawnSync('umount', ['-l', vault])
    world.undo.push(over)
    await delay(random.whole(200, 1_500))
    over()
    world.undo.pop()
    await load.acknowledged(10, 10_000)
    await load.stop()
    return nothingMore
  },
}

export const storage: readonly Fault[] = [...failures.map(failing), fullDisk, readOnlyVault, strangeVault]
