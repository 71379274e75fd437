import { createHash, randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { newMessageId, type VaultKey } from '../../src/core/ids.ts'
import type { Vault } from '../../src/core/ports.ts'

/** A fresh, empty vault. `reopen` closes it and opens what it left; `close` also removes that. */
export type VaultUnderTest = {
  readonly vault: Vault
  readonly reopen: () => Promise<Vault>
  readonly close: () => Promise<void>
}

export const keyAt = (day: string): VaultKey => `${day}/${newMessageId()}` as VaultKey
export const someKey = () => keyAt('2025-03-01')

/** The code of the failure that a promise rejects with; `none` when it resolves. */
export const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof GatewayError ? error.code : `no code: ${String(error)}`),
  )

export const put = async (vault: Vault, key: VaultKey, ...chunks: readonly Uint8Array[]): Promise<void> => {
  const writer = await vault.create(key)
  try {
    for (const chunk of chunks) await writer.write(Uint8Array.from(chunk))
    await writer.commit()
  } catch (error) {
    await writer.abort()
    throw error
  }
}

export const get = async (vault: Vault, key: VaultKey): Promise<Buffer> =>
  Buffer.concat(await Array.fromAsync(vault.open(key)))

export const listed = async (vault: Vault, prefix = ''): Promise<Readonly<Record<string, number>>> =>
  Object.fromEntries((await Array.fromAsync(vault.list(prefix))).map(({ key, size }) => [key, size]))

setFlagsFromString('--expose-gc')
// It exists in contexts made after the flag was set.
const collectGarbage = runInNewContext('gc') as () => void

/** Octets of buffers that something still refers to. */
const heldOctets = (): number => {
  // The second waits for the first's sweeping.
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

const sizes = [0, 1, 10_752, 65_536, 262_143, 262_144, 262_145, 1_000_000]
const small = () => randomBytes(10_752)
const large = () => randomBytes(400_000)

/** What every vault must do, whatever its material. */
export const vaultContract = (name: string, make: () => VaultUnderTest) => {
  const vaults = suite<{ now: VaultUnderTest }>(`vault ${name}`)
  vaults.before.each((context) => {
    context.now = make()
  })
  vaults.after.each(({ now }) => now.close())

  for (const size of sizes)
    vaults(`an object of ${size} octets comes out as it went in, also after a restart`, async ({ now }) => {
      const [key, bytes] = [someKey(), randomBytes(size)]
      await put(now.vault, key, bytes.subarray(0, size >> 1), bytes.subarray(size >> 1))
      assert.ok((await get(now.vault, key)).equals(bytes))
      assert.ok((await get(await now.reopen(), key)).equals(bytes))
    })

  vaults('chunks come in any size, also without waiting for the one before', async ({ now }) => {
    const key = someKey()
    const chunks = Array.from({ length: 900 }, (_, index) => randomBytes((index * 37) % 1500))
    const writer = await now.vault.create(key)
    await Promise.all(chunks.map((chunk) => writer.write(Uint8Array.from(chunk))))
    await writer.commit()
    assert.ok((await get(now.vault, key)).equals(Buffer.concat(chunks)))
  })

  vaults('64 MiB stream in and out in chunks of at most 256 KiB and in constant memory', async ({ now }) => {
    const [key, chunk, count] = [someKey(), randomBytes(65_536), 1024]
    const [written, read] = [createHash('sha256'), createHash('sha256')]
    const before = heldOctets()
    let peak = before
    const writer = await now.vault.create(key)
    for (let index = 0; index < count; index++) {
      const octets = Buffer.from(chunk)
      octets.writeUInt32BE(index)
      written.update(octets)
      await writer.write(octets)
      if (index % 128 === 127) peak = Math.max(peak, heldOctets())
    }
    await writer.commit()
    let pieces = 0
    for await (const piece of now.vault.open(key)) {
      assert.ok(piece.length <= 262_144)
      read.update(piece)
      if (pieces++ % 32 === 31) peak = Math.max(peak, heldOctets())
    }
    assert.is(read.digest('hex'), written.digest('hex'))
    assert.ok(peak - before < 4 << 20, `held ${peak - before} octets`)
  })

  for (const [kind, content] of [
    ['small', small],
    ['large', large],
  ] as const) {
    vaults(`a ${kind} object does not exist before its commit`, async ({ now }) => {
      const key = someKey()
      const writer = await now.vault.create(key)
      await writer.write(content())
      assert.is(await failure(get(now.vault, key)), 'object-missing')
      assert.equal(await listed(now.vault), {})
      await writer.commit()
      assert.equal(Object.keys(await listed(now.vault)), [key])
    })

    vaults(`an aborted ${kind} object leaves nothing, and its key can be used`, async ({ now }) => {
      const [key, bytes] = [someKey(), content()]
      const writer = await now.vault.create(key)
      await writer.write(content())
      await writer.abort()
      await writer.abort()
      assert.not.equal(await failure(writer.commit()), 'none')
      assert.equal(await listed(now.vault), {})
      await put(now.vault, key, bytes)
      assert.ok((await get(now.vault, key)).equals(bytes))
    })

    vaults(`an abort after the commit of a ${kind} object does nothing`, async ({ now }) => {
      const [key, bytes] = [someKey(), content()]
      const writer = await now.vault.create(key)
      await writer.write(Uint8Array.from(bytes))
      const committing = writer.commit()
      await writer.abort()
      await committing
      await writer.abort()
      assert.ok((await get(now.vault, key)).equals(bytes))
    })

    for (const [second, other] of [
      ['small', small],
      ['large', large],
    ] as const) {
      vaults(`a ${kind} object is never overwritten by a ${second} one`, async ({ now }) => {
        const [key, bytes] = [someKey(), content()]
        await put(now.vault, key, bytes)
        assert.is(await failure(put(now.vault, key, other())), 'storage-failed')
        assert.ok((await get(now.vault, key)).equals(bytes))
      })

      vaults(`of a ${kind} and a ${second} object committed at once under one key, one is refused`, async ({ now }) => {
        const [key, contents] = [someKey(), [content(), other()]]
        const outcomes = await Promise.all(contents.map((bytes) => failure(put(now.vault, key, bytes))))
        assert.equal(outcomes.toSorted(), ['none', 'storage-failed'])
        assert.ok((await get(now.vault, key)).equals(contents[outcomes.indexOf('none')] ?? Buffer.alloc(0)))
      })
    }

    vaults(`a removed ${kind} object is gone, also after a restart, and may be removed again`, async ({ now }) => {
      const [key, other] = [someKey(), someKey()]
      await put(now.vault, key, content())
      await put(now.vault, other, content())
      await now.vault.remove(key)
      await now.vault.remove(key)
      assert.is(await failure(get(now.vault, key)), 'object-missing')
      const vault = await now.reopen()
      assert.is(await failure(get(vault, key)), 'object-missing')
      assert.equal(Object.keys(await listed(vault)), [other])
    })
  }

  vaults('removing what never existed succeeds', async ({ now }) => {
    await now.vault.remove(someKey())
    assert.equal(await listed(now.vault), {})
  })

  vaults('hundreds of objects committed at once are all there', async ({ now }) => {
    const objects = Array.from({ length: 1200 }, (_, index) => ({
      key: keyAt(index % 3 === 0 ? '2025-03-01' : '2025-03-02'),
      bytes: randomBytes(index % 300 === 0 ? 300_000 : 500 + index),
    }))
    await Promise.all(objects.map(({ key, bytes }) => put(now.vault, key, bytes)))
    const vault = await now.reopen()
    for (const { key, bytes } of objects) assert.ok((await get(vault, key)).equals(bytes))
  })

  vaults('a listing has every object with its size, and only those of the prefix', async ({ now }) => {
    const expected: Record<string, number> = {}
    for (const day of ['2024-12-31', '2025-01-01', '2025-01-02', '2025-11-02'])
      for (const size of [100, 300_000]) {
        const key = keyAt(day)
        await put(now.vault, key, randomBytes(size))
        expected[key] = size
      }
    const open = await now.vault.create(keyAt('2025-01-01'))
    await open.write(randomBytes(300_000))
    const [whole = ''] = Object.keys(expected)
    for (const prefix of [
      '',
      '2',
      '2025',
      '2025-01',
      '2025-01-0',
      '2025-01-01',
      '2025-01-01/',
      whole,
      `${whole}0`,
      '../',
      'x',
    ])
      assert.equal(
        await listed(now.vault, prefix),
        Object.fromEntries(Object.entries(expected).filter(([key]) => key.startsWith(prefix))),
        prefix,
      )
    await open.abort()
  })

  vaults('a listing of thousands has each once', async ({ now }) => {
    const keys = Array.from({ length: 2300 }, () => someKey())
    await Promise.all(keys.map((key) => put(now.vault, key, randomBytes(10))))
    const entries = await Array.fromAsync(now.vault.list(''))
    assert.equal(entries.map(({ key }) => key).toSorted(), keys.toSorted())
  })

  vaults('what is no vault key reaches no file', async ({ now }) => {
    const good = someKey()
    const bad = ['', '.', '..', '/etc/passwd', `../${good}`, `${good}/..`, `${good}\0`, `${good}.age`, `${good}\n`]
    const worse = ['2025-03-01/../../../etc/passwd', '2025-03-01\\x', good.toUpperCase(), good.replace('/', '//')]
    for (const text of [...bad, ...worse]) {
      const key = text as VaultKey
      assert.is(await failure(now.vault.create(key)), 'request-invalid', text)
      assert.is(await failure(get(now.vault, key)), 'request-invalid', text)
      assert.is(await failure(now.vault.remove(key)), 'request-invalid', text)
    }
  })

  vaults('a reader that stops early, and one whose object is removed meanwhile, harm nobody', async ({ now }) => {
    const [key, bytes] = [someKey(), large()]
    await put(now.vault, key, bytes)
    for await (const chunk of now.vault.open(key)) if (chunk.length > 0) break
    const reading = now.vault.open(key)[Symbol.asyncIterator]()
    await reading.next()
    await now.vault.remove(key)
    await reading.return?.()
    assert.is(await failure(get(now.vault, key)), 'object-missing')
  })

  vaults('after close everything is refused, and close may be repeated', async ({ now }) => {
    const [key, late] = [someKey(), await now.vault.create(someKey())]
    await put(now.vault, key, small())
    await late.write(large())
    await now.vault.close()
    await now.vault.close()
    assert.not.equal(await failure(late.commit()), 'none')
    assert.is(await failure(now.vault.create(someKey())), 'shutting-down')
    assert.is(await failure(get(now.vault, key)), 'shutting-down')
    assert.is(await failure(now.vault.remove(key)), 'shutting-down')
    assert.equal(Object.keys(await listed(await now.reopen())), [key])
  })

  vaults('what was committing when the vault was closed is durable or refused', async ({ now }) => {
    const keys = Array.from({ length: 50 }, () => someKey())
    const outcomes = keys.map((key, index) => failure(put(now.vault, key, randomBytes(index % 10 ? 5000 : 300_000))))
    await new Promise(setImmediate)
    await now.vault.close()
    const settled = await Promise.all(outcomes)
    const found = await listed(await now.reopen())
    assert.equal(Object.keys(found).toSorted(), keys.filter((_, index) => settled[index] === 'none').toSorted())
  })

  vaults.run()
}
