import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { packs } from '../../src/vault/packs.ts'
import type { Vault } from '../../src/core/ports.ts'
import { until } from '../support/until.ts'

const writerFile = join(import.meta.dirname, 'vaultWriter.ts')
const rounds = 5
/** Lines of a writer before it is killed, however slow the disk is. */
const atLeast = 40

const linesOf = (said: string) => said.split('\n').slice(0, -1)

/** What a writer said until it was killed in the middle of its work. */
const killedAfter = async (dir: string, milliseconds: number): Promise<readonly (readonly string[])[]> => {
  const child = spawn(process.execPath, [writerFile, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  await until(() => linesOf(said).length >= atLeast, 'its work')
  await setTimeout(milliseconds)
  child.kill('SIGKILL')
  await closed
  return linesOf(said).map((line) => line.split(' '))
}

/** The digest of every object that is listed; each is whole. */
const digestsIn = async (vault: Vault): Promise<ReadonlyMap<string, string>> => {
  const digests = new Map<string, string>()
  for await (const { key, size } of vault.list('')) {
    const bytes = Buffer.concat(await Array.fromAsync(vault.open(key)))
    assert.is(bytes.length, size)
    const digest = createHash('sha256').update(bytes.subarray(0, -32)).digest('hex')
    assert.is(bytes.subarray(-32).toString('hex'), digest, `${key} is half an object`)
    digests.set(key, digest)
  }
  return digests
}

test('after kill -9 every acknowledged object is whole, every removed one is gone, and no half of one is listed', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-crash-'))
  const kept = new Map<string, string>()
  const gone = new Set<string>()
  const leaving = new Set<string>()
  for (let round = 0; round < rounds; round++) {
    for (const [what = '', key = '', digest = ''] of await killedAfter(dir, 20 + Math.random() * 250)) {
      if (what === 'kept') kept.set(key, digest)
      if (what === 'removing') leaving.add(key)
      if (what === 'removed' || what === 'aborted') gone.add(key)
    }
    const vault = packs({ dir })
    const found = await digestsIn(vault)
    await vault.close()
    for (const [key, digest] of kept) if (!leaving.has(key)) assert.is(found.get(key), digest, `${key} is not whole`)
    for (const [key, digest] of found) if (kept.has(key)) assert.is(digest, kept.get(key))
    for (const key of gone) assert.not.ok(found.has(key), `${key} is still there`)
    // At most the one that each of the twelve was committing was not yet acknowledged.
    const unacknowledged = [...found.keys()].filter((key) => !kept.has(key))
    assert.ok(unacknowledged.length <= 12 * (round + 1))
    const names = readdirSync(join(dir, 'large'), { recursive: true, encoding: 'utf8' })
    assert.equal(
      names.filter((name) => name.endsWith('.partial')),
      [],
    )
  }
  assert.ok(kept.size > 50 && gone.size > 5, `only ${kept.size} kept, ${gone.size} gone`)
  rmSync(dir, { recursive: true })
})

test.run()
