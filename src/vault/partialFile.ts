import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDirectory } from '../disk/durable.ts'
import { spent } from '../spent.ts'

/** A file being written beside its final place, under a name of its own that ends in `.partial`. */
export type PartialFile = {
  /** Resolves when there is room for more: one batch is on its way to the disk while the next one fills. The chunk is the file's from then on. */
  write(chunk: Uint8Array): Promise<void>
  /** Resolves when the whole file and its final name are durable. */
  finish(): Promise<void>
  /** Leaves nothing, neither the partial file nor, after a `finish` that failed, the final one. */
  discard(): Promise<void>
}

/** Octets that wait in all files that are being written at once, each its share, while as many are on their way to the disk. */
const waitingAtOnce = 4 << 20
let writing = 0

/** Of one file: few cost round trips where there are few files, and many cost memory where there are many. */
const octetsWaiting = (): number => Math.max(64 << 10, Math.min(256 << 10, waitingAtOnce / writing))

/** A disk takes what it can of a vector: what it left is written again. */
const after = (chunks: readonly Uint8Array[], written: number): readonly Uint8Array[] => {
  let left = written
  let index = 0
  for (const chunk of chunks) {
    if (chunk.length > left) break
    left -= chunk.length
    index++
  }
  const [first, ...others] = chunks.slice(index)
  return first === undefined ? [] : [first.subarray(left), ...others]
}

const writeAll = async (file: FileHandle, chunks: readonly Uint8Array[]) => {
  for (let rest = chunks; rest.length > 0;) rest = after(rest, (await file.writev(rest)).bytesWritten)
}

export const partialFile = (path: string): PartialFile => {
  const partialPath = `${path}.${randomBytes(6).toString('hex')}.partial`
  let file: FileHandle | undefined
  let waiting: Uint8Array[] = []
  let octets = 0
  let running: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined
  let renamed = false

  const pump = async () => {
    try {
      if (file === undefined) {
        file = await open(partialPath, 'wx', 0o600)
        writing += 1
      }
      while (waiting.length > 0) {
        const batch = takeWaiting()
        await writeAll(file, batch)
        for (const chunk of batch) spent(chunk)
      }
    } catch (error) {
      failure = { error }
    } finally {
      // In the same turn in which nothing waited: what comes after starts anew.
      running = undefined
    }
  }
  const takeWaiting = () => {
    const batch = waiting
    waiting = []
    octets = 0
    return batch
  }
  const checked = () => {
    if (failure !== undefined) throw failure.error
  }
  const close = async () => {
    const open = file
    if (open === undefined) return
    file = undefined
    writing -= 1
    await open.close()
  }
  return {
    write: async (chunk) => {
      checked()
      waiting.push(chunk)
      octets += chunk.length
      running ??= pump()
      if (octets >= octetsWaiting()) await running
      checked()
    },
    finish: async () => {
      await running
      checked()
      await file?.datasync()
      await close()
      await rename(partialPath, path)
      renamed = true
      await syncDirectory(dirname(path))
    },
    discard: async () => {
      waiting = []
      await running
      await close()
      await rm(renamed ? path : partialPath, { force: true })
    },
  }
}
