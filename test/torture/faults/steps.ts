import { join } from 'node:path'
import type { World } from '../world.ts'

const dayOf = (moment: number) => new Date(moment).toISOString().slice(0, 10)
const aDay = 86_400_000

/** The files of a data directory that a fault is aimed at. */
export const filesOf = ({ data }: Pick<World, 'data'>) => {
  const pack = (suffix: string) =>
    // A round may run over midnight.
    [0, aDay].map((later) => join(data, 'vault/packs', `${dayOf(Date.now() + later)}.db${suffix}`))
  return {
    log: [join(data, 'events.db-wal')],
    pack: pack('-wal'),
    views: [join(data, 'views.db-wal')],
  }
}

export const traceIn = ({ scratch }: Pick<World, 'scratch'>) => join(scratch, 'strace')
