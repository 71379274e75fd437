import { parentPort, workerData } from 'node:worker_threads'
import { answerCalls } from '../storage/calls.ts'
import { type BackupSource, makeBackup } from './makeBackup.ts'

// The backup thread: copies and digests, so that neither the sockets nor the storage wait for it. It is there only while
// a backup is being made.

export const backupMethods = (source: BackupSource) => ({
  make: ({ directory }: { readonly directory: string }) => makeBackup(source, directory),
})

export type BackupMethods = ReturnType<typeof backupMethods>

if (parentPort) answerCalls(parentPort, () => backupMethods(workerData as BackupSource))
