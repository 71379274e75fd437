import { closeSync, fstatSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { listMessages } from '../../projections/messages.ts'
import type { Logger } from '../../src/core/ports.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { openViews, type Views } from '../../src/storage/views.ts'
import { until } from '../support/until.ts'
import { arrived, created, reserved } from '../unit/projectionsFacts.ts'
import { append, mailboxId, steppingClock } from '../unit/projectionsGiven.ts'

const life = [reserved('a@example.org', 1), created(1), ...Array.from({ length: 500 }, (_, n) => arrived(n + 1, 1))]

const messagesIn = ({ reader }: Views) => listMessages(reader, { mailboxId: mailboxId(1), limit: 999 }).items.length

/** In its place: who has it open goes on with it. */
const spoil = (file: string) => {
  const handle = openSync(file, 'r+')
  writeSync(handle, Buffer.alloc(fstatSync(handle).size, 0xee), 0, undefined, 0)
  closeSync(handle)
}

test('views whose thread finds the file damaged are built anew while the gateway runs, and hold what came meanwhile', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-views-'))
  const [file, logFile] = [join(dir, 'views.db'), join(dir, 'events.db')]
  const log = sqliteLog({ file: logFile, clock: steppingClock() })
  await append(log, life)
  const said: string[] = []
  const say = (fields: object, text: string) => void said.push(`${text} ${JSON.stringify(fields)}`)
  const logger: Logger = { info: say, warn: say, error: say }
  const open = () => openViews({ file, log: { engine: 'sqlite', file: logFile }, logger })
  await (await open()).close()

  const views = await open()
  try {
    spoil(file)
    await append(log, [arrived(501, 1)])
    await until(
      () => said.some((line) => line.startsWith('The views have stopped')),
      () => said.join('\n'),
    )
    await append(log, [arrived(502, 1)])
    await until(
      () => views.status().state === 'live',
      () => said.join('\n'),
    )
    await views.visible(await log.head())
    assert.is(messagesIn(views), 502)
    assert.ok(said.some((line) => line.startsWith('The views are opened anew')))
  } finally {
    await views.close()
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  }
})

test.run()
