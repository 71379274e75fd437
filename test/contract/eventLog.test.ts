import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import { systemClock } from '../../src/core/ports.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { eventLogContract } from './eventLogContract.ts'

const memory = () => {
  const log = memoryLog({ clock: systemClock })
  return { log, close: () => log.close() }
}
eventLogContract('memory', memory, { outlives: false })

eventLogContract('sqlite', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sealpost-log-'))
  const open = () => sqliteLog({ file: join(directory, 'events.db'), clock: systemClock })
  const log = open()
  let last = log
  return {
    log,
    reopen: async () => {
      await last.close()
      return (last = open())
    },
    close: async () => {
      await last.close()
      rmSync(directory, { recursive: true })
    },
  }
})

test.run()
