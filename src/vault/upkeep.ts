import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import type { Clock } from '../core/ports.ts'
import type { OpenPacks } from './openPacks.ts'

/** Returns to the file system, in the background and in small steps, what removed objects took. */
export type Upkeep = {
  /** Something was removed from the day's pack. */
  tend(day: string): void
  stop(): void
}

/** Pages given back in one step (512 KiB), and the milliseconds after it in which the thread serves mail. */
const pagesAtOnce = 64
const pause = 10
const idleAfter = 60_000

/** Of the first 100 octets of a database (sqlite.org/fileformat.html §1.3): its pages, and how many of them are free. */
const headerOf = (path: string): { readonly pages: number; readonly free: number } => {
  const header = Buffer.alloc(100)
  const file = openSync(path, 'r')
  try {
    readSync(file, header, 0, 100, 0)
  } finally {
    closeSync(file)
  }
  return { pages: header.readUInt32BE(28), free: header.readUInt32BE(36) }
}

/** A pack without objects has its schema, the map of pages, and the roots of table and index. */
const pagesWhenEmpty = 4

const wasLeftUntended = (path: string): boolean => {
  const { pages, free } = headerOf(path)
  return free > 0 || pages <= pagesWhenEmpty || existsSync(`${path}-wal`)
}

/** Of packs that are only read. */
export const noUpkeep: Upkeep = { tend: () => undefined, stop: () => undefined }

/** Begins with the packs that an earlier run left untended. `fail` hears of steps that failed. */
export const upkeep = (packs: OpenPacks, clock: Clock, fail: (error: unknown) => void): Upkeep => {
  const today = () => clock.now().toISOString().slice(0, 10)
  const waiting = new Set<string>(packs.days().filter((day) => wasLeftUntended(packs.pathOf(day))))
  let timer: NodeJS.Timeout | undefined

  /** Whether there is more to do for the day. */
  const step = (day: string): boolean => {
    const pack = packs.forReading(day)
    if (pack === undefined) return false
    if (day < today() && pack.isEmpty()) {
      packs.discard(day)
      return false
    }
    const more = pack.shrink(pagesAtOnce)
    if (more) pack.checkpointWhenDue()
    else pack.checkpoint()
    return more
  }
  const run = () => {
    timer = undefined
    const [day] = waiting
    if (day === undefined) return
    waiting.delete(day)
    try {
      if (step(day)) waiting.add(day)
    } catch (error) {
      // The day is tried again after its next removal, or at the next start.
      fail(error)
    }
    schedule()
  }
  const schedule = () => {
    if (waiting.size > 0) timer ??= setTimeout(run, pause).unref()
  }
  const idle = setInterval(() => packs.closeIdle(idleAfter), idleAfter).unref()
  schedule()
  return {
    tend: (day) => {
      waiting.add(day)
      schedule()
    },
    stop: () => {
      clearInterval(idle)
      clearTimeout(timer)
      waiting.clear()
    },
  }
}
