import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Random } from './random.ts'
import type { Operation } from './recording.ts'

/** A file's change, with what became of it on the way to the disk. */
type Change = { readonly ended: number; durable: number; lost: boolean } & (
  | { readonly is: 'write'; readonly bytes: Buffer; readonly offset: number }
  | { readonly is: 'truncate'; readonly size: number }
)
type File = { readonly base: Buffer; readonly changes: Change[]; size: number; cursor: number }
/** A directory's change. `file` is what the name stands for afterwards. */
type Naming = { readonly ended: number; readonly directory: string; durable: number; lost: boolean } & (
  | { readonly is: 'name'; readonly path: string; readonly file: File }
  | { readonly is: 'forget'; readonly path: string }
  | { readonly is: 'mkdir'; readonly path: string }
)

/** What a disk is after a recording, as far as it is known for any moment of it. */
export type Disk = {
  /** When a flush was over, in order. */
  readonly flushes: readonly number[]
  /**
   * Writes the directory as it may be found after the power was cut at `at`. What was flushed before is there. Of what was
   * not, nothing; or, if `torn`, any part of the writes, and of the names those until any moment.
   */
  restore(into: string, cut: { readonly at: number; readonly torn: Random | undefined }): void
}

const filesBelow = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name))

/** A failed flush drops what it was to write: the kernel marks the pages as clean, and no later flush writes them. */
const flush = (changes: readonly (Change | Naming)[], { begun, ended, failed }: Operation & { is: 'sync' }) => {
  for (const change of changes) {
    if (change.lost || change.durable <= begun || change.ended > begun) continue
    if (failed) change.lost = true
    else change.durable = ended
  }
}

/** Replays a recording on what the directory was before it. */
export const diskAfter = (before: string, below: string, operations: readonly Operation[]): Disk => {
  const names = new Map<string, File>()
  const first: string[] = []
  for (const path of filesBelow(before)) {
    const place = join(below, path.slice(before.length))
    if (statSync(path).isDirectory()) first.push(place)
    else if (!path.endsWith('-shm')) {
      const base = readFileSync(path)
      names.set(place, { base, changes: [], size: base.length, cursor: 0 })
    }
  }
  const original = new Map(names)
  const namings: Naming[] = []
  const fresh = (ended: number) => ({ ended, durable: Infinity, lost: false })
  const name = (path: string, file: File, ended: number) => {
    names.set(path, file)
    namings.push({ ...fresh(ended), is: 'name', path, file, directory: dirname(path) })
  }
  const forget = (path: string, ended: number) => {
    names.delete(path)
    namings.push({ ...fresh(ended), is: 'forget', path, directory: dirname(path) })
  }
  const truncate = (file: File, size: number, ended: number) => {
    file.changes.push({ ...fresh(ended), is: 'truncate', size })
    file.size = size
  }
  const open = (path: string, { create, truncate: empty, append, ended }: Operation & { is: 'open' }) => {
    const found = names.get(path)
    if (found === undefined && !create) return
    const file = found ?? { base: Buffer.alloc(0), changes: [], size: 0, cursor: 0 }
    if (found === undefined) name(path, file, ended)
    if (found && empty) truncate(file, 0, ended)
    // A database is opened often, and written at given places only.
    file.cursor = append ? file.size : 0
  }
  const write = (file: File, { bytes, offset = file.cursor, ended }: Operation & { is: 'write' }) => {
    file.changes.push({ ...fresh(ended), is: 'write', bytes, offset })
    file.cursor = offset + bytes.length
    file.size = Math.max(file.size, file.cursor)
  }
  for (const operation of operations) {
    const { path, ended } = operation
    const file = names.get(path)
    if (operation.is === 'open') open(path, operation)
    if (operation.is === 'write' && file) write(file, operation)
    if (operation.is === 'truncate' && file) truncate(file, operation.size, ended)
    if (operation.is === 'mkdir') namings.push({ ...fresh(ended), is: 'mkdir', path, directory: dirname(path) })
    if (operation.is === 'unlink') forget(path, ended)
    if ((operation.is === 'rename' || operation.is === 'link') && file) {
      name(operation.to, file, ended)
      if (operation.is === 'rename') forget(path, ended)
    }
    if (operation.is === 'sync') {
      flush(file?.changes ?? [], operation)
      flush(
        namings.filter(({ directory }) => directory === path),
        operation,
      )
    }
  }
  return {
    flushes: operations.flatMap((one) => (one.is === 'sync' && !one.failed ? [one.ended] : [])),
    restore: (into, { at, torn }) => {
      const until = torn ? at - torn.unit() ** 3 * 2_000 : -Infinity
      const kept = namings.filter(({ durable, lost, ended }) => durable <= at || (!lost && ended <= until))
      const place = (path: string) => join(into, path.slice(below.length))
      const found = new Map(original)
      mkdirSync(into, { recursive: true, mode: 0o700 })
      for (const directory of first) mkdirSync(place(directory), { recursive: true, mode: 0o700 })
      for (const naming of kept) {
        if (naming.is === 'name') found.set(naming.path, naming.file)
        if (naming.is === 'forget') found.delete(naming.path)
        if (naming.is === 'mkdir') mkdirSync(place(naming.path), { recursive: true, mode: 0o700 })
      }
      for (const [path, file] of found) {
        mkdirSync(dirname(place(path)), { recursive: true, mode: 0o700 })
        writeFileSync(place(path), contentOf(file, { at, torn }), { mode: 0o600 })
      }
    },
  }
}

type Cut = { readonly at: number; readonly torn: Random | undefined }

const contentOf = (file: File, { at, torn }: Cut): Uint8Array => {
  let content: Buffer = Buffer.from(file.base)
  for (const change of file.changes) {
    if (change.ended > at) continue
    const kept = change.durable <= at ? change : torn && partOf(change, torn)
    if (kept?.is === 'truncate') content = resized(content, kept.size)
    if (kept?.is !== 'write') continue
    if (content.length < kept.offset + kept.bytes.length) content = resized(content, kept.offset + kept.bytes.length)
    kept.bytes.copy(content, kept.offset)
  }
  return content
}

/** Disks write sectors of so many octets whole. */
const sector = 512

/** All of it, nothing, or what lies before or behind the bound of a sector. */
const partOf = (change: Change, random: Random): Change | undefined => {
  if (random.chance(0.4)) return undefined
  if (change.is === 'truncate' || random.chance(0.6)) return change
  const bound = sector - (change.offset % sector) + sector * random.whole(0, Math.floor(change.bytes.length / sector))
  return random.chance(0.5)
    ? { ...change, bytes: change.bytes.subarray(0, bound) }
    : { ...change, bytes: change.bytes.subarray(bound), offset: change.offset + Math.min(bound, change.bytes.length) }
}

const resized = (content: Buffer, size: number): Buffer => {
  if (size <= content.length) return content.subarray(0, size)
  return Buffer.concat([content, Buffer.alloc(size - content.length)])
}
