import { randomBytes } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { KeyStore } from '../../src/core/ports.ts'
import { failure } from './vaultContract.ts'

/** A fresh, empty key store. `reopen` opens what it left; `close` also removes that. */
export type KeyStoreUnderTest = {
  readonly keys: KeyStore
  readonly reopen: () => KeyStore
  readonly close: () => void
}

const badNames = [
  '',
  '.',
  '..',
  '/',
  '/a',
  'a/',
  'a//b',
  '../a',
  'a/../b',
  'a/./b',
  '.hidden',
  'a/.hidden',
  'A',
  'ä',
  'a b',
]
const worseNames = ['a\0', 'a\n', 'a\\b', 'a:b', 'a_b', 'c:/a', 'a'.repeat(201)]

/** What every key store must do, whatever its material. */
export const keyStoreContract = (name: string, make: () => KeyStoreUnderTest) => {
  const stores = suite<{ now: KeyStoreUnderTest }>(`key store ${name}`)
  stores.before.each((context) => {
    context.now = make()
  })
  stores.after.each(({ now }) => now.close())

  stores('a value comes out as it went in, also after a restart', async ({ now }) => {
    for (const size of [0, 1, 400, 100_000]) {
      const value = randomBytes(size)
      await now.keys.put(`tls/key-${size}.pem`, value)
      assert.ok(value.equals((await now.keys.get(`tls/key-${size}.pem`)) ?? Buffer.from('nothing')))
      assert.ok(value.equals((await now.reopen().get(`tls/key-${size}.pem`)) ?? Buffer.from('nothing')))
    }
  })

  stores('what was never put is undefined, and may be removed', async ({ now }) => {
    assert.is(await now.keys.get('a'), undefined)
    assert.is(await now.keys.get('no/such/name'), undefined)
    await now.keys.remove('no/such/name')
  })

  stores('a put replaces the older value', async ({ now }) => {
    await now.keys.put('a/b', Buffer.from('a longer older value'))
    await now.keys.put('a/b', Buffer.from('newer'))
    assert.is(Buffer.from((await now.keys.get('a/b')) ?? []).toString(), 'newer')
    assert.equal(await now.keys.list(''), ['a/b'])
  })

  stores('a value is added where there is none, and of several at once one is', async ({ now }) => {
    const wishes = Array.from({ length: 10 }, (_, index) => Buffer.alloc(50_000, index + 1))
    const added = await Promise.all(wishes.map((value) => now.keys.add('a/b', value)))
    assert.is(added.filter((one) => one).length, 1)
    assert.equal(await now.reopen().get('a/b'), wishes[added.indexOf(true)])
    assert.is(await now.reopen().add('a/b', Buffer.from('later')), false)
    assert.is((await now.keys.get('a/b'))?.length, 50_000)
    assert.equal(await now.keys.list(''), ['a/b'])
  })

  stores('while values are being replaced, each reading gets one of them whole', async ({ now }) => {
    const values = Array.from({ length: 20 }, (_, index) => Buffer.alloc(50_000, index + 1))
    const read = async () => {
      const value = (await now.keys.get('a')) ?? Buffer.alloc(0)
      assert.is(value.length, 50_000)
      assert.is(new Set(value).size, 1)
    }
    await now.keys.put('a', Buffer.alloc(50_000, 99))
    await Promise.all(values.flatMap((value) => [now.keys.put('a', value), read(), read()]))
    assert.equal(await now.keys.list(''), ['a'])
  })

  stores('a removed value is gone, its neighbours are not', async ({ now }) => {
    await now.keys.put('a/b', Buffer.from('1'))
    await now.keys.put('a/c', Buffer.from('2'))
    await now.keys.remove('a/b')
    assert.is(await now.keys.get('a/b'), undefined)
    assert.equal(await now.reopen().list(''), ['a/c'])
  })

  stores('a listing has the names of the prefix, sorted', async ({ now }) => {
    const names = [
      'administrators.json',
      'mailboxes/mbx-1/1.age',
      'mailboxes/mbx-1/10.age',
      'mailboxes/mbx-2/1.age',
      'tls/a',
    ]
    for (const each of names.toReversed()) await now.keys.put(each, Buffer.from(each))
    for (const prefix of [
      '',
      'mail',
      'mailboxes/',
      'mailboxes/mbx-1',
      'mailboxes/mbx-1/',
      'tls/a',
      'tls/a/',
      'x',
      '../',
      '/',
    ])
      assert.equal(
        await now.keys.list(prefix),
        names.filter((each) => each.startsWith(prefix)),
        prefix,
      )
  })

  for (const bad of [...badNames, ...worseNames])
    stores(`${JSON.stringify(bad.slice(0, 20))} is no name of a key`, async ({ now }) => {
      assert.is(await failure(now.keys.put(bad, Buffer.from('x'))), 'request-invalid')
      assert.is(await failure(now.keys.add(bad, Buffer.from('x'))), 'request-invalid')
      assert.is(await failure(now.keys.get(bad)), 'request-invalid')
      assert.is(await failure(now.keys.remove(bad)), 'request-invalid')
    })

  stores.run()
}
