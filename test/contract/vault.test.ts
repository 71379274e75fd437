import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { VaultKey } from '../../src/core/ids.ts'
import type { Vault } from '../../src/core/ports.ts'
import { packs } from '../../src/vault/packs.ts'
import { smallDiskTest } from '../support/peers.ts'
import { until } from '../support/until.ts'
import { failure, get, keyAt, listed, put, someKey, vaultContract } from './vaultContract.ts'

const scratch = () => mkdtempSync(join(tmpdir(), 'sealpost-vault-'))

vaultContract('packs', () => {
  const dir = scratch()
  const vault = packs({ dir })
  let last = vault
  return {
    vault,
    reopen: async () => {
      await last.close()
      return (last = packs({ dir }))
    },
    close: async () => {
      await last.close()
      rmSync(dir, { recursive: true })
    },
  }
})

/** Runs `work` on a vault in a directory of its own. */
const inScratch = async (work: (dir: string, open: (today?: string) => Vault) => Promise<void>) => {
  const dir = scratch()
  const opened: Vault[] = []
  const open = (today = '2025-06-01') => {
    const vault = packs({ dir, clock: { now: () => new Date(`${today}T12:00:00Z`) } })
    opened.push(vault)
    return vault
  }
  try {
    await work(dir, open)
  } finally {
    await Promise.all(opened.map((vault) => vault.close()))
    rmSync(dir, { recursive: true })
  }
}

const filesIn = (dir: string): readonly string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

/** A file may go between being found and being looked at. */
const octetsIn = (dir: string) =>
  filesIn(dir).reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.blocks ?? 0) * 512, 0)

const fill = async (vault: Vault, day: string, count: number, size: number): Promise<readonly VaultKey[]> => {
  const keys = Array.from({ length: count }, () => keyAt(day))
  await Promise.all(keys.map((key) => put(vault, key, randomBytes(size))))
  return keys
}

const purge = async (vault: Vault, keys: readonly VaultKey[]) => {
  await Promise.all(keys.map((key) => vault.remove(key)))
}

test('after 99 % was purged the directory has shrunk accordingly, and what was kept is whole', () =>
  inScratch(async (dir, open) => {
    const vault = open()
    const keys = await fill(vault, '2025-05-30', 2000, 10_752)
    const files = await fill(vault, '2025-05-30', 100, 300_000)
    const full = octetsIn(dir)
    const kept = [...keys.filter((_, index) => index % 100 === 50), ...files.slice(0, 1)]
    const contents = await Promise.all(kept.map((key) => get(vault, key)))
    await purge(
      vault,
      [...keys, ...files].filter((key) => !kept.includes(key)),
    )
    await until(() => octetsIn(dir) < full * 0.02, 'the directory shrinks')
    assert.equal(Object.keys(await listed(vault)).toSorted(), kept.toSorted())
    for (const [index, key] of kept.entries())
      assert.ok((await get(vault, key)).equals(contents[index] ?? Buffer.alloc(0)))
  }))

test('the pack of a past day goes when it is empty, that of today stays', () =>
  inScratch(async (dir, open) => {
    const vault = open()
    await purge(vault, await fill(vault, '2025-05-30', 20, 5000))
    await until(() => !filesIn(dir).some((file) => file.includes('2025-05-30')), 'the pack goes')
    const today = await fill(vault, '2025-06-01', 20, 5000)
    await purge(vault, today)
    await setTimeout(50)
    assert.ok(existsSync(join(dir, 'packs/2025-06-01.db')))
    await put(vault, keyAt('2025-05-30'), randomBytes(10))
    assert.is(Object.keys(await listed(vault, '2025-05-30')).length, 1)
  }))

test('space that a run did not come to return is returned by the next', () =>
  inScratch(async (dir, open) => {
    const first = open('2025-05-30')
    const emptied = await fill(first, '2025-05-30', 10, 5000)
    const [kept, ...others] = await fill(first, '2025-05-29', 500, 10_752)
    const full = octetsIn(dir)
    await purge(first, [...emptied, ...others])
    await first.close()
    const second = open('2025-05-31')
    await until(() => !existsSync(join(dir, 'packs/2025-05-30.db')), 'the empty pack goes')
    await until(() => octetsIn(dir) < full * 0.1, 'the other shrinks')
    assert.equal(Object.keys(await listed(second)), [kept])
  }))

test('many days are written and read with a few packs open', () =>
  inScratch(async (dir, open) => {
    const vault = open()
    const keys = Array.from({ length: 28 }, (_, index) => keyAt(`2025-02-${String(index + 1).padStart(2, '0')}`))
    for (const key of keys) await put(vault, key, Buffer.from(key))
    for (const key of [...keys, ...keys.toReversed()]) assert.is((await get(vault, key)).toString(), key)
    assert.ok(filesIn(dir).filter((file) => file.endsWith('-wal')).length <= 4)
  }))

test('partial files of a writer that died are swept at the next start', () =>
  inScratch(async (dir, open) => {
    const day = join(dir, 'large/2025/03/01')
    mkdirSync(day, { recursive: true })
    writeFileSync(join(day, '0195a000-0000-7000-8000-000000000000.age.0123456789ab.partial'), 'half')
    assert.equal(await listed(open()), {})
    assert.equal(filesIn(join(dir, 'large')), [])
  }))

test('a large object that is aborted or refused leaves no file', () =>
  inScratch(async (dir, open) => {
    const [vault, key] = [open(), someKey()]
    await put(vault, key, randomBytes(10))
    assert.is(await failure(put(vault, key, randomBytes(700_000))), 'storage-failed')
    assert.equal(filesIn(join(dir, 'large')), [])
  }))

test('a pack is an ordinary SQLite file that only its owner may read', () =>
  inScratch(async (dir, open) => {
    const [vault, key, bytes] = [open(), keyAt('2025-03-01'), randomBytes(9000)]
    await put(vault, key, bytes)
    const file = join(dir, 'packs/2025-03-01.db')
    const db = new DatabaseSync(file, { readOnly: true })
    const row = db.prepare('select sealed from object where id = ?').get(key.slice(11))
    db.close()
    assert.ok(bytes.equals(row?.['sealed'] as Uint8Array))
    if (process.platform !== 'win32') for (const each of filesIn(dir)) assert.is(statSync(each).mode & 0o077, 0, each)
  }))

test('of what was purged nothing is left in the file, once the vault has closed', () =>
  inScratch(async (dir, open) => {
    const vault = open()
    const [kept, purged] = [keyAt('2025-03-01'), keyAt('2025-03-01')]
    const [keptBytes, purgedBytes] = [randomBytes(900), randomBytes(900)]
    await put(vault, kept, keptBytes)
    await put(vault, purged, purgedBytes)
    await vault.remove(purged)
    await vault.close()
    const octets = Buffer.concat(filesIn(dir).map((file) => readFileSync(file)))
    assert.ok(octets.includes(keptBytes.subarray(0, 32)))
    for (let at = 0; at + 32 <= purgedBytes.length; at += 32)
      assert.not(octets.includes(purgedBytes.subarray(at, at + 32)), `from octet ${at}`)
  }))

test('a damaged pack is object-corrupt, and others are served', () =>
  inScratch(async (dir, open) => {
    const vault = open()
    mkdirSync(join(dir, 'packs'), { recursive: true })
    writeFileSync(join(dir, 'packs/2025-03-02.db'), randomBytes(50_000))
    const key = keyAt('2025-03-01')
    await put(vault, key, Buffer.from('whole'))
    assert.is(await failure(get(vault, keyAt('2025-03-02'))), 'object-corrupt')
    assert.is(await failure(put(vault, keyAt('2025-03-02'), randomBytes(10))), 'storage-failed')
    assert.is((await get(vault, key)).toString(), 'whole')
  }))

test('a failed flush is fatal: it is reported once, nothing is acknowledged, everything after it is refused', () =>
  inScratch(async (dir) => {
    const fatal: unknown[] = []
    const vault = packs({ dir, onFatal: (error) => fatal.push(error) })
    const handle = await open(join(dir, 'probe'), 'w')
    // The prototype that all file handles share.
    const shared = Object.getPrototypeOf(handle) as { datasync: () => Promise<void> }
    await handle.close()
    const [key, genuine] = [someKey(), shared.datasync]
    shared.datasync = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'fdatasync' }))
    try {
      assert.is(await failure(put(vault, key, randomBytes(400_000))), 'storage-failed')
    } finally {
      shared.datasync = genuine
    }
    assert.is(await failure(put(vault, someKey(), randomBytes(10))), 'storage-failed')
    assert.is(await failure(vault.remove(someKey())), 'storage-failed')
    assert.is(fatal.length, 1)
    assert.equal(await listed(vault), {})
    await vault.close()
  }))

const vaultOn = async (disk: string, work: (vault: Vault) => Promise<void>) => {
  const vault = packs({ dir: disk })
  try {
    await work(vault)
  } finally {
    await vault.close()
  }
}

for (const size of [20_000, 300_000])
  smallDiskTest(
    test,
    2,
    `a full disk refuses objects of ${size} octets with storage-full, keeps the others, and recovers by itself`,
    (disk) =>
      vaultOn(disk, async (vault) => {
        const ballast = join(disk, 'ballast')
        writeFileSync(ballast, randomBytes(500_000))
        const kept = new Map<VaultKey, Buffer>()
        const attempt = async () => {
          const [key, bytes] = [keyAt('2025-03-01'), randomBytes(size)]
          const code = await failure(put(vault, key, bytes))
          if (code === 'none') kept.set(key, bytes)
          return code
        }
        let code = 'none'
        for (let left = 200; code === 'none' && left > 0; left--) code = await attempt()
        assert.is(code, 'storage-full')
        assert.is(await attempt(), 'storage-full')
        assert.equal(Object.keys(await listed(vault)).toSorted(), [...kept.keys()].toSorted())
        rmSync(ballast)
        assert.is(await attempt(), 'none')
        for (const [key, bytes] of kept) assert.ok((await get(vault, key)).equals(bytes))
        assert.equal(Object.keys(await listed(vault)).toSorted(), [...kept.keys()].toSorted())
      }),
  )

smallDiskTest(
  test,
  2,
  'a disk that is full before the day has a pack refuses, and takes the first object once there is room',
  (disk) =>
    vaultOn(disk, async (vault) => {
      const ballast = join(disk, 'ballast')
      const fillUp = () => {
        for (let size = 1 << 20; size >= 4096; size >>= 1)
          try {
            for (;;) writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' })
          } catch {
            continue
          }
      }
      fillUp()
      const bytes = randomBytes(20_000)
      assert.is(await failure(put(vault, keyAt('2025-03-01'), bytes)), 'storage-full')
      rmSync(ballast)
      const key = keyAt('2025-03-01')
      await put(vault, key, bytes)
      assert.ok((await get(vault, key)).equals(bytes))
    }),
)

test('a vault opened for reading is read, refuses every change, and stays as it is to the octet', async () => {
  const dir = scratch()
  const [kept, gone] = [keyAt('2025-03-01'), keyAt('2025-03-02')]
  const before = packs({ dir })
  for (const key of [kept, gone]) await put(before, key, randomBytes(100_000))
  await before.close()
  const files = ['2025-03-01.db', '2025-03-02.db'].map((name) => join(dir, 'packs', name))
  for (const file of files) {
    const copy = new DatabaseSync(file)
    copy.exec('pragma journal_mode = delete')
    copy.prepare('delete from object where id = ?').run(gone.slice(11))
    copy.close()
  }
  const octets = files.map((file) => readFileSync(file))

  const vault = packs({ dir, readOnly: true })
  assert.equal(Object.keys(await listed(vault)), [kept])
  assert.is((await get(vault, kept)).length, 100_000)
  assert.is(await failure(put(vault, gone, randomBytes(10))), 'storage-failed')
  assert.is(await failure(vault.remove(kept)), 'storage-failed')
  await setTimeout(50) // a vault that is tended would remove the empty pack meanwhile
  await vault.close()
  assert.equal(readdirSync(join(dir, 'packs')).sort(), ['2025-03-01.db', '2025-03-02.db'])
  for (const [index, file] of files.entries()) assert.ok(octets[index]?.equals(readFileSync(file)))
  rmSync(dir, { recursive: true })
})

test.run()
