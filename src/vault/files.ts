import { type Clock, systemClock, type Vault, type VaultWriter } from '../core/ports.ts'
import { objectFiles } from './objectFiles.ts'
import { objectWriter } from './objectWriter.ts'
import { openWriters } from './openWriters.ts'
import { type Place, placeOf } from './place.ts'
import { asReadError } from './storageError.ts'
import { oneAtATime, taken, watchOver } from './watch.ts'

export type FilesOptions = {
  readonly dir: string
  readonly clock?: Clock
  /** Nothing is swept, and every change is refused. */
  readonly readOnly?: boolean
  /** A flush to the disk failed: the vault refuses every change from now on. Called once. The process must stop. */
  readonly onFatal?: (error: unknown) => void
}

/** A writer that has not written for so long (milliseconds) has died, in whatever gateway it was. */
const deadAfter = 24 * 60 * 60 * 1000

/**
 * The vault as one file per sealed message, in a directory that exists and that several gateways may share. Message ids are random
 * enough that no two gateways ever write the same object; in one process that is checked.
 */
export const files = ({
  dir,
  clock = systemClock,
  readOnly = false,
  onFatal = () => undefined,
}: FilesOptions): Vault => {
  const watch = watchOver(onFatal, readOnly)
  const sweepBefore = readOnly ? -Infinity : clock.now().getTime() - deadAfter
  const objects = objectFiles({ root: dir, below: '', sweepBefore })
  const writers = openWriters()
  const alone = oneAtATime(watch.check)

  const commitSmall = async (place: Place, sealed: Uint8Array) => {
    const file = objects.create(place)
    try {
      await file.write(sealed)
      await finish(place, () => file.finish())
    } catch (error) {
      await file.discard()
      throw error
    }
  }
  const finish = (place: Place, work: () => Promise<void>) =>
    alone(place, () => {
      if (objects.has(place)) throw taken()
      return work()
    })
  const writerAt = (place: Place): VaultWriter =>
    writers.add(
      objectWriter({
        small: (sealed) => commitSmall(place, sealed),
        large: () => objects.create(place),
        finish: (file) => finish(place, () => file.finish()),
        fail: watch.fail,
      }),
    )
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
        yield* objects.open(place)
      } catch (error) {
        throw asReadError(error)
      }
    },
    remove: async (key) => {
      const place = placeOf(key)
      watch.check()
      try {
        await objects.remove(place)
      } catch (error) {
        throw watch.fail(error)
      }
    },
    list: async function* (prefix) {
      watch.checkOpen()
      try {
        yield* objects.list(prefix)
      } catch (error) {
        throw asReadError(error)
      }
    },
    close: async () => {
      watch.close()
      await writers.abort()
    },
  }
}
