import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '../../../ops/scratchGateway.ts'
import type { Fault } from '../fault.ts'
import { diskAfter } from '../powerLoss.ts'
import { saidWhy } from '../judge.ts'
import { readRecording } from '../recording.ts'
import { recordedByStrace } from '../strace.ts'
import { type World, worldOn } from '../world.ts'
import { traceIn } from './steps.ts'

/** Moments of one recording at which the power is cut. */
const cuts = 2

type Cutting = Pick<Fault, 'name' | 'how' | 'outcomes'> & {
  /** Whether some of what was not flushed may be there. */
  readonly torn: boolean
  /** What strace does to calls meanwhile. */
  readonly inject: (world: World) => readonly string[]
}

const powerLoss = ({ name, how, outcomes, torn, inject }: Cutting): Fault => ({
  name,
  how,
  outcomes,
  needs: ['strace'],
  inflict: async (world) => {
    const { data, scratch, random, mailboxes, ledger, env, providers } = world
    const before = join(scratch, 'before')
    cpSync(data, before, { recursive: true })
    // It may end while it starts; whether that was for a good reason is asked below.
    await world.start({ under: recordedByStrace(traceIn(world), inject(world)) }).catch(() => undefined)
    const load = world.load()
    const begun = Date.now()
    await load.acknowledged(random.whole(30, 90), 5_000)
    await load.stop()
    const operations = readRecording(await endOf(world), data)
    const disk = diskAfter(before, data, operations)
    const moments = disk.flushes.filter((moment) => moment >= begun)
    return Promise.all(
      Array.from({ length: cuts }, async (_, index) => {
        const flushed = moments.length > 0 ? random.one(moments) : begun
        const at = flushed + (random.chance(0.5) ? 0 : random.unit() * 20)
        const restored = join(scratch, `cut-${index}`, 'data')
        disk.restore(restored, { at, torn: torn ? random.fork() : undefined })
        const ground = { data: restored, scratch, ports: await freePorts(), mailboxes, ledger, random, env, providers }
        return { world: worldOn(ground), at }
      }),
    )
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

const anyFlush = ({ random }: World) => [`fsync,fdatasync:error=EIO:when=${random.whole(3, 60)}`]

export const power: readonly Fault[] = [
  powerLoss({
    name: 'power loss',
    how: 'of what was written, the disk has only what was flushed before the cut; two cuts of each recorded run',
    outcomes: ['killed'],
    torn: false,
    inject: () => [],
  }),
  powerLoss({
    name: 'power loss, torn writes',
    how: 'the same, and a random part of the sectors and names that were not flushed',
    outcomes: ['killed'],
    torn: true,
    inject: () => [],
  }),
  powerLoss({
    name: 'power loss after a failed flush',
    how: 'a flush of any file gives EIO and has dropped what it should have written, which no later flush brings back; it stops and is started again; then the power is cut',
    outcomes: ['killed'],
    torn: false,
    inject: anyFlush,
  }),
]
