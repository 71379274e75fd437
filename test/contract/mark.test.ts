import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Vault } from '../../src/core/ports.ts'
import { markName, mustBeTheSame, recognise } from '../../src/disk/mark.ts'
import { keyFiles } from '../../src/keys/keyFiles.ts'
import { files } from '../../src/vault/files.ts'
import { packs } from '../../src/vault/packs.ts'
import { failure, get, keyAt, listed, put } from './vaultContract.ts'

const inScratch = async (work: (scratch: string) => Promise<void> | void) => {
  const scratch = mkdtempSync(join(tmpdir(), 'sealpost-mark-'))
  try {
    await work(scratch)
  } finally {
    rmSync(scratch, { recursive: true })
  }
}
const vaultIn = (scratch: string, gateway = 'gw-1') =>
  ({ directory: join(scratch, 'vault'), what: 'vault', memory: join(scratch, `${gateway}.id`) }) as const
const marked = (scratch: string) => readFileSync(join(scratch, 'vault', markName), 'utf8')

test('the first start makes the directory and its mark, and the next one knows it again', () =>
  inScratch((scratch) => {
    recognise(vaultIn(scratch))
    const first = marked(scratch)
    recognise(vaultIn(scratch))
    mustBeTheSame(vaultIn(scratch))
    assert.is(marked(scratch), first)
    assert.equal(readdirSync(scratch).toSorted(), ['gw-1.id', 'vault'])
  }))

test('a gateway that shares the directory takes the mark that it finds', () =>
  inScratch((scratch) => {
    recognise(vaultIn(scratch))
    const first = marked(scratch)
    recognise(vaultIn(scratch, 'gw-2'))
    assert.is(marked(scratch), first)
    mustBeTheSame(vaultIn(scratch, 'gw-2'))
  }))

test('a directory of before there were marks gets one, and keeps what it holds', () =>
  inScratch((scratch) => {
    mkdirSync(join(scratch, 'vault/2025'), { recursive: true })
    recognise(vaultIn(scratch))
    assert.equal(readdirSync(join(scratch, 'vault')).toSorted(), [markName, '2025'])
  }))

const refusedFor = (work: () => void): string => {
  try {
    work()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing'
}

test('a directory that is not there, empty or another one is refused with what to do, and nothing is made', () =>
  inScratch((scratch) => {
    const vault = vaultIn(scratch)
    recognise(vault)
    const id = marked(scratch).trim()
    renameSync(vault.directory, join(scratch, 'mounted'))
    assert.match(
      refusedFor(() => recognise(vault)),
      /vault is not there\. Is its file system mounted\?/,
    )
    assert.not(readdirSync(scratch).includes('vault'))
    mkdirSync(vault.directory)
    const text = refusedFor(() => recognise(vault))
    assert.match(text, /not the one of the last start: it has no \.sealpost\. Is its file system mounted\?/)
    assert.ok(text.includes(`write ${id} into`))
    assert.equal(readdirSync(vault.directory), [])
    writeFileSync(join(vault.directory, markName), 'another\n')
    assert.match(
      refusedFor(() => recognise(vault)),
      /its \.sealpost says another, not .*remove .*gw-1\.id/,
    )
  }))

/** The directory while its file system is not mounted: another, empty one. */
const away = async (scratch: string, work: () => Promise<void>) => {
  const [vault, mounted] = [join(scratch, 'vault'), join(scratch, 'mounted')]
  renameSync(vault, mounted)
  mkdirSync(vault)
  await work()
  assert.equal(readdirSync(vault), [], 'what was written beside the mount')
  rmSync(vault, { recursive: true })
  renameSync(mounted, vault)
}

const adapters: Readonly<Record<string, (dir: string) => Vault>> = {
  files: (dir) => files({ dir }),
  'large objects of packs': (dir) => packs({ dir }),
}
for (const [name, open] of Object.entries(adapters))
  test(`while its directory is away, a vault (${name}) takes nothing, misses nothing and makes nothing; then it goes on`, () =>
    inScratch(async (scratch) => {
      recognise(vaultIn(scratch))
      const vault = open(join(scratch, 'vault'))
      const [before, during, after] = [keyAt('2025-03-01'), keyAt('2025-03-02'), keyAt('2025-03-02')]
      const large = Buffer.alloc(300_000, 'x')
      await put(vault, before, large)
      await away(scratch, async () => {
        assert.is(await failure(put(vault, keyAt('2025-03-01'), large)), 'storage-failed')
        assert.is(await failure(put(vault, during, large)), 'storage-failed')
        if (name === 'files') {
          assert.is(await failure(get(vault, before)), 'storage-failed')
          assert.is(await failure(vault.remove(before)), 'storage-failed')
          assert.is(await failure(listed(vault)), 'storage-failed')
        }
      })
      await put(vault, after, large)
      assert.equal(Object.keys(await listed(vault)).toSorted(), [before, after].toSorted())
      await vault.close()
    }))

test('a small object does not go into a directory that looks like the vault and is not', () =>
  inScratch(async (scratch) => {
    recognise(vaultIn(scratch))
    const dir = join(scratch, 'vault')
    const vault = packs({ dir })
    await put(vault, keyAt('2025-03-01'), Buffer.from('before'))
    renameSync(dir, join(scratch, 'mounted'))
    mkdirSync(join(dir, 'packs'), { recursive: true })
    assert.is(await failure(put(vault, keyAt('2025-03-02'), Buffer.from('during'))), 'storage-failed')
    assert.equal(readdirSync(join(dir, 'packs')), [])
    rmSync(dir, { recursive: true })
    renameSync(join(scratch, 'mounted'), dir)
    await put(vault, keyAt('2025-03-02'), Buffer.from('after'))
    await vault.close()
  }))

test('while its directory is away, a key store takes nothing, misses nothing and makes nothing; then it goes on', () =>
  inScratch(async (scratch) => {
    recognise(vaultIn(scratch))
    const keys = keyFiles({ dir: join(scratch, 'vault') })
    await keys.put('tls/a', Buffer.from('1'))
    await away(scratch, async () => {
      assert.is(await failure(keys.put('tls/b', Buffer.from('2'))), 'storage-failed')
      assert.is(await failure(keys.add('tls/b', Buffer.from('2'))), 'storage-failed')
      assert.is(await failure(keys.get('tls/a')), 'storage-failed')
      assert.is(await failure(keys.list('tls/')), 'storage-failed')
      assert.is(await failure(keys.remove('tls/a')), 'storage-failed')
    })
    assert.equal(await keys.list(''), ['tls/a'])
    assert.is(await keys.get('tls/b'), undefined)
  }))

test.run()
