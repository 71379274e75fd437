import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Vault } from '../../src/core/ports.ts'
import { files } from '../../src/vault/files.ts'
import { failure, get, keyAt, listed, put, vaultContract } from './vaultContract.ts'

const scratch = () => mkdtempSync(join(tmpdir(), 'sealpost-files-'))

vaultContract('files', () => {
  const dir = scratch()
  const vault = files({ dir })
  let last = vault
  return {
    vault,
    reopen: async () => {
      await last.close()
      return (last = files({ dir }))
    },
    close: async () => {
      await last.close()
      rmSync(dir, { recursive: true })
    },
  }
})

/** Two vaults, as of two gateways, over one directory. */
const shared = async (work: (one: Vault, other: Vault, dir: string) => Promise<void>) => {
  const dir = scratch()
  const [one, other] = [files({ dir }), files({ dir })]
  try {
    await work(one, other, dir)
  } finally {
    await one.close()
    await other.close()
    rmSync(dir, { recursive: true })
  }
}

test('what one gateway commits another reads, lists and removes', () =>
  shared(async (one, other) => {
    const objects = [100, 300_000].map((size) => ({ key: keyAt('2025-03-01'), bytes: randomBytes(size) }))
    for (const { key, bytes } of objects) await put(one, key, bytes)
    for (const { key, bytes } of objects) assert.ok((await get(other, key)).equals(bytes))
    assert.equal(Object.keys(await listed(other)).toSorted(), objects.map(({ key }) => key).toSorted())
    for (const { key } of objects) await other.remove(key)
    for (const { key } of objects) assert.is(await failure(get(one, key)), 'object-missing')
  }))

test('both write into a day that neither has seen before', () =>
  shared(async (one, other) => {
    const keys = Array.from({ length: 40 }, () => keyAt('2031-01-01'))
    await Promise.all(keys.map((key, index) => put(index % 2 === 0 ? one : other, key, randomBytes(2000))))
    assert.equal(Object.keys(await listed(one)).toSorted(), keys.toSorted())
  }))

test('a gateway that starts leaves what another is writing, and sweeps what has lain for a day', () =>
  shared(async (one, _, dir) => {
    const key = keyAt('2025-03-01')
    const writer = await one.create(key)
    const bytes = randomBytes(700_000)
    await writer.write(Uint8Array.from(bytes))
    mkdirSync(join(dir, '2025/02/01'), { recursive: true })
    const dead = join(dir, '2025/02/01', '0195a000-0000-7000-8000-000000000000.age.0123456789ab.partial')
    writeFileSync(dead, 'half')
    const twoDaysAgo = Date.now() / 1000 - 2 * 86_400
    utimesSync(dead, twoDaysAgo, twoDaysAgo)
    const third = files({ dir })
    await writer.commit()
    assert.ok((await get(third, key)).equals(bytes))
    assert.equal(readdirSync(join(dir, '2025/02/01')), [])
    await third.close()
  }))

test('an object is an ordinary file that only its owner may read, in a directory of its day', () =>
  shared(async (one, _, dir) => {
    const key = keyAt('2025-03-01')
    await put(one, key, randomBytes(10))
    const file = join(dir, '2025/03/01', `${key.slice(11)}.age`)
    assert.is(statSync(file).mode & 0o777, 0o600)
    assert.is(statSync(join(dir, '2025')).mode & 0o777, 0o700)
  }))

test.run()
