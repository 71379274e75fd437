import { parentPort, workerData } from 'node:worker_threads'
import { origin } from '../../src/core/ids.ts'
import { readSqliteLog } from '../../src/log/sqlite.ts'
import { numberIn } from './eventLogContract.ts'

/** Follows the log whose file it was given, and tells what it saw and when. */
const port = parentPort
if (port === null) throw new Error('this file is a worker')
// The cast is what the test passes.
const log = readSqliteLog({ file: workerData as string })
log.subscribe(
  origin,
  (events) => port.postMessage({ numbers: events.map(numberIn), at: performance.timeOrigin + performance.now() }),
  (error) => {
    throw error
  },
)
port.on('message', () => void log.close().then(() => port.close()))
