import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Injection } from '../strace.ts'
import type { World } from '../world.ts'

const dayOf = (moment: number) => new Date(moment).toISOString().slice(0, 10)
const aDay = 86_400_000

/** The files of a data directory that a fault is aimed at. */
export const filesOf = ({ data, env }: Pick<World, 'data' | 'env'>) => {
  const vault = env['SEALPOST_VAULT_DIR'] ?? join(data, 'vault')
  // A round may run over midnight.
  const days = [0, aDay].map((later) => dayOf(Date.now() + later))
  return {
    log: [join(data, 'events.db-wal')],
    pack: days.map((day) => join(vault, 'packs', `${day}.db-wal`)),
    views: [join(data, 'views.db-wal')],
    /** Of a vault of files: each has a name of its own, and calls that nothing else makes. */
    objects: [],
    /** The directories that they lie in. */
    days: days.map((day) => join(vault, ...day.split('-'))),
  }
}

/** Microseconds that are enough to kill it in. */
export const held = 5_000_000

/** Holds a gateway up at a step of the way of a message into a vault of files: before or after its flush, its naming, or the flush of its name. */
export const objectStep = (world: World): Injection => {
  const { random } = world
  const [call, of] = random.one([
    ['fdatasync', 'objects'],
    ['rename', 'objects'],
    ['fsync', 'days'],
  ] as const)
  return {
    calls: [call],
    what: `${random.one(['delay_enter', 'delay_exit'])}=${held}`,
    when: String(random.whole(1, 8)),
    paths: filesOf(world)[of],
    output: traceIn(world),
  }
}

export const traceIn = ({ scratch }: Pick<World, 'scratch'>) => join(scratch, 'strace')

/** Milliseconds in which a load comes to what is inflicted on it. */
export const patience = 60_000

/** Until the gateway is at the step, where it is killed, unless the step has been its end. Rejects when it does not come to it. */
export const killedAt = async ({ gateway }: World, step: () => boolean): Promise<void> => {
  const isThere = () => gateway?.process.signalCode !== null || step()
  let there = isThere()
  for (const until = Date.now() + patience; !there && Date.now() < until; there = isThere()) await delay(5)
  await gateway?.kill()
  if (!there) throw new Error('the load did not come to the step')
}
