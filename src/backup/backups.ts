import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { GatewayError } from '../core/errors.ts'
import type { Cause, Fact } from '../core/events.ts'
import type { Logger } from '../core/ports.ts'
import { positionOf } from '../log/storedEvent.ts'
import { callsTo } from '../storage/calls.ts'
import { startThread } from '../storage/thread.ts'
// A whole-statement type import: the other form would run the thread's file in this thread too.
import type { BackupMethods } from './backupThread.ts'
import { type BackupMade, type BackupSource, partialOf } from './makeBackup.ts'

/** Backups of the running gateway. */
export type Backups = {
  /** As `makeBackup`; one at a time, a second is refused with `overloaded`. `directory` is absolute. */
  make(directory: string, cause: Cause): Promise<BackupMade>
  /** What is being made is given up, and leaves nothing. */
  close(): Promise<void>
}

/**
 * Resolves once nothing that the log has named is being destroyed, neither objects nor keys; nothing is, until what it
 * gives is called.
 */
export type PauseDestruction = () => Promise<() => void>

export type BackupsParts = {
  /** Undefined where the log is in a store of its own, which has its own way to be backed up. */
  readonly source: BackupSource | undefined
  readonly pauseDestruction: PauseDestruction
  /** Resolves when it is durable. */
  readonly record: (fact: Fact<'BackupMade'>, cause: Cause) => Promise<unknown>
  readonly logger: Logger
}

export const createBackups = ({ source, pauseDestruction, record, logger }: BackupsParts): Backups => {
  let running: { readonly worker: Worker; readonly partial: string | undefined } | undefined
  let busy = false
  let closed = false

  const made = async (from: BackupSource, directory: string) => {
    if (closed) throw new GatewayError('shutting-down')
    const worker = startThread(new URL('./backupThread.ts', import.meta.url), from)
    // Whoever waits is told so by `callsTo`.
    worker.on('error', () => undefined)
    // One that is there already is somebody else's, and is refused.
    const partial = partialOf(directory)
    running = { worker, partial: existsSync(partial) ? undefined : partial }
    try {
      return await callsTo<BackupMethods>(worker)('make', { directory })
    } finally {
      running = undefined
      await worker.terminate()
    }
  }

  return {
    make: async (directory, cause) => {
      if (!source) throw new GatewayError('request-invalid', { detail: ofStore })
      if (!isAbsolute(directory)) throw new GatewayError('request-invalid', { detail: 'The directory is not absolute' })
      if (busy) throw new GatewayError('overloaded', { detail: 'A backup is being made already' })
      busy = true
      let resume: (() => void) | undefined
      try {
        resume = await pauseDestruction()
        const backup = await made(source, directory)
        logger.info(backup, 'A backup was made')
        const { files, octets } = backup
        await record(
          { type: 'BackupMade', data: { through: positionOf(backup.position), files, octets } },
          cause,
        ).catch(
          // It is there all the same.
          (error: unknown) => logger.warn({ err: error }, 'BackupMade was not recorded'),
        )
        return backup
      } finally {
        resume?.()
        busy = false
      }
    },
    close: async () => {
      closed = true
      if (!running) return
      const { worker, partial } = running
      await worker.terminate()
      if (partial !== undefined) await rm(partial, { recursive: true, force: true })
    },
  }
}

export const ofStore =
  'The log is in EventStoreDB: back the store up by its own means first, then copy the directories of vault and keys.'
