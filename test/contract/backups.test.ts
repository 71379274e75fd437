import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBackups } from '../../src/backup/backups.ts'
import { makeBackup, partialOf } from '../../src/backup/makeBackup.ts'
import type { Fact } from '../../src/core/events.ts'
import { mustHaveRoom } from '../../src/backup/room.ts'
import { systemClock } from '../../src/core/ports.ts'
import { recogniseDirectories } from '../../src/dataDirectory.ts'
import { pathsIn } from '../../src/dataDirectory.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { codeOf } from '../support/codeOf.ts'
import { byTest } from '../unit/projectionsGiven.ts'

const scratch = mkdtempSync(join(tmpdir(), 'sealpost-backups-'))
test.after(() => rmSync(scratch, { recursive: true }))
const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }

const recorded: Fact[] = []
const record = (fact: Fact) => Promise.resolve(void recorded.push(fact))

/** A data directory with an empty log and so many large objects. */
const dataWith = async (name: string, objects: number) => {
  const places = pathsIn(join(scratch, name))
  mkdirSync(join(scratch, name))
  recogniseDirectories(places)
  const log = sqliteLog({ file: places.log, clock: systemClock })
  await log.close()
  const day = join(places.vault, 'large/2026/03/03')
  mkdirSync(day, { recursive: true })
  for (let object = 0; object < objects; object++) writeFileSync(join(day, `${object}.age`), Buffer.alloc(1000, object))
  return { places, vault: 'packs' } as const
}

test('nothing is destroyed while a backup is made, and may be again however it ends', async () => {
  const steps: string[] = []
  const pauseDestruction = () => {
    steps.push('paused')
    return Promise.resolve(() => void steps.push('resumed'))
  }
  const backups = createBackups({ source: await dataWith('paused', 2), pauseDestruction, record, logger })
  await backups.make(join(scratch, 'first'), byTest).then(() => steps.push('made'))
  assert.is(await codeOf(backups.make(join(scratch, 'first'), byTest)), 'request-invalid')
  assert.equal(steps, ['paused', 'resumed', 'made', 'paused', 'resumed'])
})

test('one backup is made at a time', async () => {
  const pauseDestruction = () => Promise.resolve(() => undefined)
  const backups = createBackups({ source: await dataWith('twice', 200), pauseDestruction, record, logger })
  const first = backups.make(join(scratch, 'twice-1'), byTest)
  assert.is(await codeOf(backups.make(join(scratch, 'twice-2'), byTest)), 'overloaded')
  await first
  assert.not(existsSync(join(scratch, 'twice-2')))
})

test('a backup that a stop interrupts is given up, and leaves nothing', async () => {
  const pauseDestruction = () => Promise.resolve(() => undefined)
  const backups = createBackups({ source: await dataWith('stopped', 20_000), pauseDestruction, record, logger })
  const directory = join(scratch, 'never')
  const made = codeOf(backups.make(directory, byTest))
  while (!existsSync(partialOf(directory))) await new Promise((resolve) => setTimeout(resolve, 1))
  await backups.close()
  assert.is(await made, 'outcome-unknown')
  assert.equal(
    readdirSync(scratch).filter((name) => name.startsWith('never')),
    [],
  )
})

test('a log in a store of its own is not backed up, and it is said what to do', async () => {
  const pauseDestruction = () => Promise.resolve(() => undefined)
  const backups = createBackups({ source: undefined, pauseDestruction, record, logger })
  const error = await backups.make('/srv/backup', byTest).catch((thrown: unknown) => thrown)
  assert.match(String(error), /EventStoreDB: back the store up by its own means first/)
})

test('a backup that fails in its middle leaves nothing', async () => {
  const source = await dataWith('failing', 1)
  rmSync(source.places.log)
  assert.is(await codeOf(makeBackup(source, join(scratch, 'failed'))), 'storage-failed')
  assert.equal(
    readdirSync(scratch).filter((name) => name.startsWith('failed')),
    [],
  )
})

test('a backup that was made is recorded, with how far it goes and how large it is, and one that was not is not', async () => {
  recorded.length = 0
  const pauseDestruction = () => Promise.resolve(() => undefined)
  const backups = createBackups({ source: await dataWith('told', 1), pauseDestruction, record, logger })
  const { files, octets } = await backups.make(join(scratch, 'told-1'), byTest)
  await codeOf(backups.make(join(scratch, 'told-1'), byTest))
  assert.equal(recorded, [{ type: 'BackupMade', data: { through: '', files, octets } }])
})

test('a backup for which there is no room is refused before it begins, and what is linked needs none', async () => {
  const source = await dataWith('large', 3)
  const target = join(scratch, 'roomless')
  const needed = statSync(source.places.log).size
  assert.is(await codeOf(mustHaveRoom(source, target, () => needed - 1)), 'storage-full')
  const error = await mustHaveRoom(source, target, () => 0).catch((thrown: unknown) => thrown)
  assert.match(String(error), `and there are 0 MiB in ${scratch}: make room there`)
  mkdirSync(join(source.places.vault, 'packs'))
  await mustHaveRoom(source, target, () => needed + 1000)
  writeFileSync(join(source.places.vault, 'packs/2026-03-03.db'), Buffer.alloc(2000))
  assert.is(await codeOf(mustHaveRoom(source, target, () => needed + 1000)), 'storage-full')
})

test.run()
