import { cpSync } from 'node:fs'
import { join } from 'node:path'
import type { Fault } from '../fault.ts'
import type { Random } from '../random.ts'
import { diskAfter } from '../powerLoss.ts'
import { saidWhy } from '../judge.ts'
import { readRecording } from '../recording.ts'
import { recordedByStrace } from '../strace.ts'
import { type World, worldOn } from '../world.ts'
import { traceIn } from './steps.ts'

type Cutting = Pick<Fault, 'name' | 'how' | 'isLong'> & {
  /** Mails that are acknowledged in the meantime, at the least and the most. */
  readonly mails: readonly [number, number]
  /** The moments of one recording, whose flushes were over at these, at which the power is cut. */
  readonly cuts: (flushes: readonly number[], random: Random) => readonly number[]
  /** Whether some of what was not flushed may be there. */
  readonly torn: boolean
  /** The flush of a thread that strace lets fail. */
  readonly failing?: (random: Random) => number
}

const powerLoss = ({ mails, cuts, torn, failing, ...about }: Cutting): Fault => ({
  ...about,
  outcomes: ['killed'],
  needs: ['strace'],
  inflict: async (world) => {
    const { data, scratch, ports, random, mailboxes, ledger, env, providers } = world
    const before = join(scratch, 'before')
    cpSync(data, before, { recursive: true })
    // It may end while it starts; whether that was for a good reason is asked below.
    const inject = failing ? [`fsync,fdatasync:error=EIO:when=${failing(random)}`] : []
    await world.start({ under: recordedByStrace(traceIn(world), inject) }).catch(() => undefined)
    const load = world.load()
    const begun = Date.now()
    await load.acknowledged(random.whole(...mails), 5_000)
    await load.stop()
    const operations = readRecording(await endOf(world), data)
    const isFailed = operations.some((one) => one.is === 'sync' && one.failed)
    if (failing && !isFailed) throw new Error('the load did not come to the flush that fails')
    const disk = diskAfter(before, data, operations)
    const moments = disk.flushes.filter((moment) => moment >= begun)
    if (moments.length === 0) throw new Error('the load did not come to a flush')
    return cuts(moments, random).map((at, index) => {
      const restored = join(scratch, `cut-${index}`, 'data')
      disk.restore(restored, { at, torn: torn ? random.fork() : undefined })
      const ground = { data: restored, scratch, ports, mailboxes, ledger, random, env, providers }
      return { world: worldOn(ground), at }
    })
  },
})

/**
 * Where the recordings are of a gateway that is killed now; one that has ended by itself is started again first, as a
 * service manager would: what it goes on with is what the disk is said to have, and may not have.
 */
const endOf = async (world: World): Promise<string> => {
  const trace = traceIn(world)
  const ended = world.gateway ? world.gateway.process.exitCode : 1
  if (ended !== null) {
    saidWhy(world, ended)
    await world.start({ under: recordedByStrace(`${trace}.again`) })
    const load = world.load()
    await load.acknowledged(world.random.whole(10, 40), 5_000)
    await load.stop()
  }
  await world.gateway?.kill()
  return trace
}

/** At or after two of them. */
const two = (flushes: readonly number[], random: Random) =>
  [1, 2].map(() => random.one(flushes) + (random.chance(0.5) ? 0 : random.unit() * 20))

const usual = { mails: [30, 90], cuts: two, torn: false } as const

export const power: readonly Fault[] = [
  powerLoss({
    ...usual,
    name: 'power loss',
    how: 'of what was written, the disk has only what was flushed before the cut; two cuts of each recorded run',
  }),
  powerLoss({
    ...usual,
    name: 'power loss at each flush',
    how: 'the same, cut at the end of each flush of a shorter run',
    isLong: true,
    mails: [8, 12],
    cuts: (flushes) => flushes,
  }),
  powerLoss({
    ...usual,
    name: 'power loss, torn writes',
    how: 'of what was written, the disk has what was flushed before the cut, and a random part of the sectors and names that were not; two cuts of each recorded run',
    torn: true,
  }),
  powerLoss({
    ...usual,
    name: 'power loss after a failed flush',
    how: 'a flush of any file gives EIO and has dropped what it should have written, which no later flush brings back; it stops and is started again; then the power is cut',
    failing: (random) => random.whole(3, 40),
  }),
]
