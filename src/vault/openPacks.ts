import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock } from '../core/ports.ts'
import { makeDirectoryBelow } from '../disk/durable.ts'
import { markOf } from '../disk/mark.ts'
import { type Pack, removePack } from './pack.ts'

/** The packs of a directory, of which a few at a time are open. */
export type OpenPacks = {
  /** The day's pack; made when there is none. */
  forWriting(day: string): Pack
  /** The day's pack, if there is one. */
  forReading(day: string): Pack | undefined
  /** The day's pack, if it is open just now. */
  ifOpen(day: string): Pack | undefined
  /** Closes the day's pack and removes its files. */
  discard(day: string): void
  /** Days that have a pack, in order. */
  days(): readonly string[]
  pathOf(day: string): string
  /** Closes those not used for `milliseconds`. */
  closeIdle(milliseconds: number): void
  close(): void
}

const packName = /^(\d{4}-\d{2}-\d{2})\.db$/

/** Packs open at once: today's, yesterday's around midnight, and those that an archive client is reading through. */
const openAtOnce = 4

export type OpenPacksParts = {
  readonly clock: Clock
  /** How a pack is opened: for reading and writing, or for reading only. */
  readonly open: (path: string) => Pack
  /** Hears of checkpoints that failed when a pack was closed: nothing is lost by them, the log has it all. */
  readonly fail: (error: unknown) => void
}

export const openPacks = (directory: string, { clock, open: openPack, fail }: OpenPacksParts): OpenPacks => {
  const mark = markOf(dirname(directory))
  makeDirectoryBelow(dirname(directory), directory)
  // In the order of their last use.
  const open = new Map<string, { readonly pack: Pack; usedAt: number }>()
  const pathOf = (day: string) => join(directory, `${day}.db`)

  const closePack = (day: string, pack: Pack) => {
    open.delete(day)
    try {
      pack.checkpoint()
    } catch (error) {
      fail(error)
    }
    pack.close()
  }
  const closeOldest = () => {
    for (const [day, { pack }] of open) {
      if (open.size < openAtOnce) return
      closePack(day, pack)
    }
  }
  const use = (day: string): Pack => {
    const known = open.get(day)
    if (known === undefined) closeOldest()
    // A day's pack is made where there is none: not in a directory that is not the vault.
    if (known === undefined) mark.check()
    const pack = known?.pack ?? openPack(pathOf(day))
    open.delete(day)
    open.set(day, { pack, usedAt: clock.now().getTime() })
    return pack
  }
  return {
    pathOf,
    forWriting: use,
    forReading: (day) => (open.has(day) || existsSync(pathOf(day)) ? use(day) : undefined),
    ifOpen: (day) => open.get(day)?.pack,
    discard: (day) => {
      open.get(day)?.pack.close()
      open.delete(day)
      removePack(pathOf(day))
    },
    days: () =>
      readdirSync(directory)
        .map((name) => packName.exec(name)?.[1])
        .filter((day) => day !== undefined)
        .sort(),
    closeIdle: (milliseconds) => {
      const before = clock.now().getTime() - milliseconds
      for (const [day, { pack, usedAt }] of open) if (usedAt <= before) closePack(day, pack)
    },
    close: () => {
      for (const [day, { pack }] of open) closePack(day, pack)
    },
  }
}
