import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { openPack } from '../../src/vault/pack.ts'

const test = suite('a pack that was left open')

/** The files of a pack as a process leaves them that dies. */
const leftOpen = () => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-pack-'))
  const [living, left] = [join(dir, 'living.db'), join(dir, 'left.db')]
  const pack = openPack(living)
  pack.transact(() => void pack.insert('a', Buffer.from('sealed')))
  for (const suffix of ['', '-wal']) copyFileSync(living + suffix, left + suffix)
  pack.close()
  return { dir, left }
}

test('what a dead process has left in the log of a pack is in the pack before anything follows it', () => {
  const { dir, left } = leftOpen()
  assert.ok(statSync(`${left}-wal`).size > 0)

  const found = openPack(left)
  assert.is(statSync(`${left}-wal`).size, 0)
  assert.equal(Buffer.from(found.read('a') ?? []).toString(), 'sealed')
  found.close()
  rmSync(dir, { recursive: true })
})

test('while somebody reads that log, what is there is read and nothing is written behind it', () => {
  const { dir, left } = leftOpen()
  const auditor = new DatabaseSync(left)
  auditor.exec('begin; select count(*) from object')

  const found = openPack(left)
  assert.equal(Buffer.from(found.read('a') ?? []).toString(), 'sealed')
  assert.throws(
    () => found.transact(() => void found.insert('b', Buffer.from('more'))),
    (error: unknown) => error instanceof GatewayError && error.code === 'storage-failed',
  )
  auditor.exec('rollback')
  found.transact(() => void found.insert('b', Buffer.from('more')))
  assert.equal(Buffer.from(found.read('b') ?? []).toString(), 'more')
  auditor.close()
  found.close()
  rmSync(dir, { recursive: true })
})

test('a pack of a backup, put back beside what was left of the log of another, has a log again, and who reads it holds up no writer', () => {
  const { dir } = leftOpen()
  const path = join(dir, 'living.db')
  const backup = new DatabaseSync(path)
  backup.exec('pragma journal_mode = delete')
  backup.close()
  writeFileSync(`${path}-wal`, '')

  const pack = openPack(path)
  const auditor = new DatabaseSync(path)
  auditor.exec('begin; select count(*) from object')
  pack.transact(() => void pack.insert('b', Buffer.from('more')))
  auditor.close()
  pack.close()
  assert.not(existsSync(`${path}-wal`))
  rmSync(dir, { recursive: true })
})

test.run()
