import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Secret } from '../../src/core/secret.ts'
import { sealBytes, startOpening } from '../../src/seal/age.ts'
import { headerEnd, parseHeader } from '../../src/seal/header.ts'
import { openWithPassphrase, sealWithPassphrase } from '../../src/seal/passphrase.ts'
import { anyPlaintext, bytesOf, faultOfAsync, newPair, run } from './sealDriver.ts'

const test = suite('sealing with a passphrase')

const passphrase = new Secret('correct horse')
const cheap = { logN: 4 }
const upTo = (maxLogN: number) => ({ maxLogN })

test('any bytes and any passphrase come back', async () => {
  const property = fc.asyncProperty(anyPlaintext, fc.string({ unit: 'binary' }), async (plaintext, text) => {
    const sealed = await sealWithPassphrase(plaintext, new Secret(text), cheap)
    const opened = await openWithPassphrase(sealed, new Secret(text), upTo(4))
    assert.is(Buffer.compare(opened, plaintext), 0)
  })
  await fc.assert(property, { numRuns: 20 })
})

test('the one stanza names the work factor', async () => {
  const sealed = await sealWithPassphrase(bytesOf(10, 1), passphrase, cheap)
  const { stanzas } = parseHeader(sealed.subarray(0, headerEnd(sealed)))
  assert.equal(
    stanzas.map(({ args: [type, , logN] }) => [type, logN]),
    [['scrypt', '4']],
  )
})

test('a work factor that needs more memory than Node allows by default is done', async () => {
  const sealed = await sealWithPassphrase(bytesOf(10, 1), passphrase, { logN: 15 })
  assert.is(Buffer.compare(await openWithPassphrase(sealed, passphrase, upTo(15)), bytesOf(10, 1)), 0)
})

test('a wrong passphrase is told from a broken file', async () => {
  const sealed = await sealWithPassphrase(bytesOf(1000, 2), passphrase, cheap)
  const fault = (file: Uint8Array, secret = passphrase) => faultOfAsync(openWithPassphrase(file, secret, upTo(4)))
  const broken = Buffer.from(sealed)
  broken[sealed.length - 1] = (broken[sealed.length - 1] ?? 0) ^ 1
  assert.is(await fault(sealed, new Secret('Correct horse')), 'passphrase-wrong')
  assert.is(await fault(broken), 'payload-corrupt')
  assert.is(await fault(sealed.subarray(0, -1000 - 16)), 'payload-truncated')
  assert.is(await fault(sealed.subarray(0, 30)), 'header-truncated')
  assert.is(await fault(new Uint8Array(0)), 'header-truncated')
})

test('a work factor above the limit is refused before any work', async () => {
  const sealed = Buffer.from(await sealWithPassphrase(bytesOf(10, 3), passphrase, cheap))
  assert.is(await faultOfAsync(openWithPassphrase(sealed, passphrase, upTo(3))), 'work-factor-too-high')
  const text = sealed.toString('latin1').replace(/ 4\n/, ' 60\n')
  const changed = Buffer.from(text, 'latin1')
  assert.is(await faultOfAsync(openWithPassphrase(changed, passphrase, upTo(20))), 'work-factor-too-high')
})

test('a work factor that is none is refused', async () => {
  for (const logN of [0, -1, 1.5, 31, Number.NaN]) {
    const outcome = await sealWithPassphrase(bytesOf(1, 1), passphrase, { logN }).catch((error: unknown) => error)
    assert.instance(outcome, RangeError)
  }
})

test('a file sealed to recipients has no passphrase, and one sealed with a passphrase has no recipient', async () => {
  const { identity, recipient } = await newPair()
  const toRecipient = sealBytes([recipient], bytesOf(10, 4))
  assert.is(await faultOfAsync(openWithPassphrase(toRecipient, passphrase, upTo(4))), 'no-identity-matched')
  const toPassphrase = await sealWithPassphrase(bytesOf(10, 4), passphrase, cheap)
  assert.is(run(startOpening([identity]), [toPassphrase]).fault, 'no-identity-matched')
})

test.run()
