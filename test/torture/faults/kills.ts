import { setTimeout as delay } from 'node:timers/promises'
import { type Fault, nothingMore } from '../fault.ts'
import { filesVault, inflictedOn } from '../kinds.ts'
import { attachStrace, heldUp, type Injection, underStrace } from '../strace.ts'
import { inKeyChange } from './keyChanges.ts'
import { filesOf, held, killedAt, objectStep, traceIn } from './steps.ts'

const atAnyMoment: Fault = {
  name: 'kill at any moment',
  how: '`kill -9` under load, up to three times',
  outcomes: ['killed'],
  needs: [],
  inflict: async (world) => {
    const { random } = world
    for (let kills = random.whole(1, 3); kills > 0; kills--) {
      const gateway = await world.start()
      const load = world.load()
      await load.acknowledged(random.whole(0, 40), 10_000)
      await delay(random.whole(0, 30))
      await gateway.kill()
      await load.stop()
    }
    return nothingMore
  },
}

type Step = Pick<Injection, 'calls' | 'what'> & {
  readonly name: string
  readonly how: string
  readonly of: 'log' | 'pack' | 'views'
  /** Calls within which the one is that is the end. */
  readonly among: readonly [number, number]
}

const killAt = ({ name, how, calls, what, of, among }: Step): Fault => ({
  name,
  how,
  outcomes: ['killed'],
  needs: ['strace'],
  inflict: async (world) => {
    const output = traceIn(world)
    const paths = filesOf(world)[of]
    const when = String(world.random.whole(...among))
    await world.start({ under: underStrace({ calls, what, when, paths, output }) })
    const load = world.load()
    await killedAt(world, heldUp(output))
    await load.stop()
    return nothingMore
  },
})

const written = { calls: ['pwrite64'], what: `delay_enter=${held}` }
const flushed = { calls: ['fsync'], what: `delay_enter=${held}` }
const answered = { calls: ['fsync'], what: `delay_exit=${held}` }

const steps: readonly Step[] = [
  {
    ...written,
    name: 'kill between vault and log',
    of: 'log',
    among: [20, 150],
    how: 'killed at a write to the log: the object is durable, its events are not',
  },
  {
    ...flushed,
    name: 'kill in a group commit of the log',
    of: 'log',
    among: [8, 50],
    how: "killed at a flush of the log's transaction",
  },
  {
    ...answered,
    name: 'kill between log and reply',
    of: 'log',
    among: [8, 50],
    how: 'killed after a flush of the log, before anybody is answered',
  },
  {
    ...written,
    name: 'kill in a group commit of the vault',
    of: 'pack',
    among: [3, 200],
    how: 'killed in the middle of the writes of a transaction of the pack',
  },
  {
    ...flushed,
    name: 'kill at a flush of the vault',
    of: 'pack',
    among: [1, 30],
    how: "killed at a flush of the pack's transaction",
  },
  {
    ...written,
    name: 'kill in a commit of the views',
    of: 'views',
    among: [2, 150],
    how: "killed in the middle of the writes of the views' transaction",
  },
]

const atObject: Fault = {
  name: 'kill at a step of an object',
  how: "killed before or after the flush of a message's file, its naming, or the flush of its name",
  outcomes: ['killed'],
  needs: ['strace'],
  inflict: async (world) => {
    const injection = objectStep(world)
    await world.start({ under: underStrace(injection) })
    const load = world.load()
    await killedAt(world, heldUp(injection.output))
    await load.stop()
    return nothingMore
  },
}

const inPurge: Fault = {
  name: 'kill in a purge',
  how: 'killed at a write to pack or log while deleted messages are destroyed',
  outcomes: ['killed'],
  needs: ['strace'],
  inflict: async (world) => {
    const { random } = world
    Object.assign(world.env, { SEALPOST_RETENTION_GRACE: '0s', SEALPOST_RETENTION_SWEEP: '1s' })
    const gateway = await world.start()
    const load = world.load({ senders: 3, collectors: 3 })
    await load.acknowledged(random.whole(20, 60), 10_000)
    const of = random.one(['pack', 'pack', 'log'] as const)
    const injection = {
      calls: ['pwrite64'],
      what: 'signal=KILL',
      when: String(random.whole(1, 25)),
      paths: filesOf(world)[of],
      output: traceIn(world),
    }
    await load.stop()
    // Only collectors, so that what is written belongs to deletions.
    const collecting = world.load({ senders: 0, collectors: 2 })
    await attachStrace(gateway.process.pid ?? 0, injection)
    await killedAt(world, () => false)
    await collecting.stop()
    return nothingMore
  },
}

export const kills: readonly Fault[] = [
  atAnyMoment,
  ...steps.map(killAt),
  inflictedOn(filesVault)(atObject),
  inPurge,
  inKeyChange,
]
