import { GatewayError } from '../core/errors.ts'
import type { VaultWriter } from '../core/ports.ts'
import type { PartialFile } from './partialFile.ts'

/** Octets of the largest object that lies in a pack. */
export const smallObject = 256 << 10

/** Where a finished object goes; either way it is durable when the promise resolves. */
export type Destination = {
  small(sealed: Uint8Array): Promise<void>
  /** Begins a file, for an object that turns out to be large. */
  large(): PartialFile
  /** Makes the file, whole by now, the object. */
  finish(file: PartialFile): Promise<void>
  /** Turns whatever was thrown into a failure of the vault. */
  fail(error: unknown): Error
}

const joined = (chunks: readonly Uint8Array[]): Uint8Array =>
  chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)

/** Collects a small object in memory; one that grows beyond goes on in a file. */
export const objectWriter = (destination: Destination): VaultWriter => {
  let chunks: Uint8Array[] = []
  let size = 0
  let file: PartialFile | undefined
  let state: 'open' | 'failed' | 'committing' | 'over' = 'open'
  let committing: Promise<void> | undefined

  const spill = async (): Promise<void> => {
    file = destination.large()
    const begun = file
    const before = chunks
    chunks = []
    // All at once: while one is waited for, the next call's write would overtake.
    await Promise.all(before.map((chunk) => begun.write(chunk)))
  }
  const take = (chunk: Uint8Array): Promise<void> | undefined => {
    size += chunk.length
    if (file !== undefined) return file.write(chunk)
    chunks.push(chunk)
    return size > smallObject ? spill() : undefined
  }
  const failed = (error: unknown): Error => {
    state = 'failed'
    return destination.fail(error)
  }
  const checked = () => {
    if (state !== 'open') throw new GatewayError('storage-failed', { detail: `The object's writer is ${state}` })
  }
  const finish = async (): Promise<void> => {
    state = 'committing'
    try {
      await (file === undefined ? destination.small(joined(chunks)) : destination.finish(file))
      state = 'over'
    } catch (error) {
      throw failed(error)
    } finally {
      chunks = []
    }
  }
  return {
    write: async (chunk) => {
      checked()
      try {
        await take(chunk)
      } catch (error) {
        throw failed(error)
      }
    },
    commit: async () => {
      checked()
      const work = finish()
      committing = work.catch(() => undefined)
      await work
    },
    abort: async () => {
      await committing
      if (state === 'over') return
      state = 'over'
      chunks = []
      await file?.discard()
    },
  }
}
