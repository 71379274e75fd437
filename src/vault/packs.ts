import { join } from 'node:path'
import type { GatewayError } from '../core/errors.ts'
import { isVaultKey } from '../core/ids.ts'
import { type Clock, systemClock, type Vault, type VaultEntry, type VaultWriter } from '../core/ports.ts'
import { groupCommit } from './groupCommit.ts'
import { objectFiles } from './objectFiles.ts'
import { objectWriter } from './objectWriter.ts'
import { openWriters } from './openWriters.ts'
import { openPacks } from './openPacks.ts'
import { openPack, readPack } from './pack.ts'
import { keyOf, mayBegin, type Place, placeOf } from './place.ts'
import { asReadError } from './storageError.ts'
import { noUpkeep, upkeep } from './upkeep.ts'
import { oneAtATime, taken, watchOver } from './watch.ts'

export type PacksOptions = {
  readonly dir: string
  readonly clock?: Clock
  /** Nothing is tended or swept, and every change is refused. */
  readonly readOnly?: boolean
  /**
   * A flush to the disk failed: what was promised may be lost, and the vault refuses every change from now on. Called
   * once. The process must stop.
   */
  readonly onFatal?: (error: unknown) => void
}

/** Rows of a listing that are in memory at once. */
const listedAtOnce = 1000

/**
 * The vault in one directory, which has to exist: sealed messages up to 256 KiB as rows in one SQLite file per day of their keys, larger
 * ones as files. Small ones are written at once on the calling thread, all that have queued in one transaction; large
 * ones asynchronously. One process, and one vault in it, may have the directory.
 */
export const packs = ({
  dir,
  clock = systemClock,
  readOnly = false,
  onFatal = () => undefined,
}: PacksOptions): Vault => {
  const watch = watchOver(onFatal, readOnly)
  const days = openPacks(join(dir, 'packs'), { clock, open: readOnly ? readPack : openPack, fail: watch.fail })
  // No other process writes here: every partial file is a dead writer's.
  const large = objectFiles({ root: dir, below: 'large', sweepBefore: readOnly ? -Infinity : Infinity })
  const group = groupCommit(days, watch)
  const keeping = readOnly ? noUpkeep : upkeep(days, clock, watch.fail)
  const writers = openWriters()
  const alone = oneAtATime(watch.check)

  const readFailure = (error: unknown): GatewayError => {
    // Opening a pack may write: what a crash left in its log.
    watch.fail(error)
    return asReadError(error)
  }
  const commitSmall = (place: Place, sealed: Uint8Array) =>
    alone(place, async () => {
      if (large.has(place) || !(await group.insert(place, sealed))) throw taken()
    })
  const writerAt = (place: Place): VaultWriter =>
    writers.add(
      objectWriter({
        small: (sealed) => commitSmall(place, sealed),
        large: () => large.create(place),
        finish: (file) =>
          alone(place, () => {
            if (large.has(place) || readSmall(place) !== undefined) throw taken()
            return file.finish()
          }),
        fail: watch.fail,
      }),
    )
  const readSmall = ({ day, id }: Place) => days.forReading(day)?.read(id)

  function* listSmall(day: string, prefix: string): Generator<VaultEntry> {
    for (let after = ''; ;) {
      watch.checkOpen()
      const rows = days.forReading(day)?.list(after, listedAtOnce) ?? []
      for (const { id, size } of rows) {
        const key = keyOf(day, id)
        if (key.startsWith(prefix) && isVaultKey(key)) yield { key, size }
      }
      after = rows.at(-1)?.id ?? after
      if (rows.length < listedAtOnce) return
    }
  }

  return {
    create: async (key) => {
      const place = placeOf(key)
      watch.check()
      return Promise.resolve(writerAt(place))
    },
    open: async function* (key) {
      const place = placeOf(key)
      watch.checkOpen()
      try {
        const small = readSmall(place)
        if (small === undefined) yield* large.open(place)
        else if (small.length > 0) yield small
      } catch (error) {
        throw readFailure(error)
      }
    },
    remove: async (key) => {
      const place = placeOf(key)
      watch.check()
      try {
        if (days.forReading(place.day) !== undefined && (await group.remove(place))) keeping.tend(place.day)
        await large.remove(place)
      } catch (error) {
        throw watch.fail(error)
      }
    },
    list: async function* (prefix) {
      try {
        for (const day of days.days()) if (mayBegin(`${day}/`, prefix)) yield* listSmall(day, prefix)
        yield* large.list(prefix)
      } catch (error) {
        throw readFailure(error)
      }
    },
    close: async () => {
      watch.close()
      keeping.stop()
      group.flush()
      await writers.abort()
      days.close()
    },
  }
}
