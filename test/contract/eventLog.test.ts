import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import { systemClock } from '../../src/core/ports.ts'
import { eventStoreDbLog } from '../../src/log/eventStoreDb.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { ownCorner } from '../support/ownCorner.ts'
import { scratchStore } from '../support/scratchStore.ts'
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

/** The double is killed and started again wherever the log is reopened. */
const overDouble = async () => {
  const store = await scratchStore()
  const log = eventStoreDbLog({ url: store.url })
  let last = log
  return {
    log,
    reopen: async () => {
      await last.close()
      await store.stop()
      await store.start()
      return (last = eventStoreDbLog({ url: store.url }))
    },
    close: async () => {
      await last.close()
      await store.remove()
    },
  }
}
eventLogContract("EventStoreDB's protocol, over a double of it", overDouble)

const url = process.env['ESDB_URL']
if (url !== undefined)
  eventLogContract(`EventStoreDB, the node at ${new URL(url).host}`, async () => {
    const first = eventStoreDbLog({ url })
    const corner = { tag: randomBytes(8).toString('hex'), base: await first.head() }
    const log = ownCorner(first, corner)
    let last = log
    return {
      log,
      reopen: async () => {
        await last.close()
        return (last = ownCorner(eventStoreDbLog({ url }), corner))
      },
      close: () => last.close(),
    }
  })

console.log(
  `  event log contract over: memory; sqlite; EventStoreDB's protocol over a double of it, which is no EventStoreDB; ${
    url === undefined ? 'no real node (ESDB_URL is not set)' : `a real node at ${new URL(url).host}`
  }`,
)

test.run()
