import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { keyFiles } from '../../src/keys/keyFiles.ts'
import { keyStoreContract } from './keyStoreContract.ts'
import { failure } from './vaultContract.ts'

const scratch = () => mkdtempSync(join(tmpdir(), 'sealpost-keys-'))

keyStoreContract('files', () => {
  const dir = scratch()
  const open = () => keyFiles({ dir })
  return { keys: open(), reopen: open, close: () => rmSync(dir, { recursive: true }) }
})

const inScratch = async (work: (dir: string) => Promise<void>) => {
  const dir = scratch()
  try {
    await work(dir)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

const entriesOf = (dir: string) =>
  readdirSync(dir, { recursive: true, withFileTypes: true }).map((entry) => join(entry.parentPath, entry.name))

test('files are for their owner alone, and so are the directories', () =>
  inScratch(async (dir) => {
    const root = dir
    await keyFiles({ dir: root }).put('mailboxes/mbx-1/1.age', Buffer.from('x'))
    const modes = [root, ...entriesOf(root)].map((path) => (statSync(path).mode & 0o777).toString(8))
    if (process.platform !== 'win32') assert.equal(modes, ['700', '700', '700', '600'])
  }))

test('a put that fails leaves the older value and no other file', () =>
  inScratch(async (dir) => {
    const keys = keyFiles({ dir })
    await keys.put('a', Buffer.from('old'))
    assert.is(await failure(keys.put('a/b', Buffer.from('below a file'))), 'storage-failed')
    await keys.put('b/c', Buffer.from('below'))
    assert.is(await failure(keys.put('b', Buffer.from('over a directory'))), 'storage-failed')
    assert.is(Buffer.from((await keys.get('a')) ?? []).toString(), 'old')
    assert.equal(entriesOf(dir).toSorted(), [join(dir, 'a'), join(dir, 'b'), join(dir, 'b/c')])
  }))

test('what a put that died left behind is no key', () =>
  inScratch(async (dir) => {
    const keys = keyFiles({ dir })
    await keys.put('a', Buffer.from('whole'))
    writeFileSync(join(dir, '.0123456789abcdef.partial'), 'ha')
    assert.equal(await keys.list(''), ['a'])
  }))

test.run()
