import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Secret } from '../../src/core/secret.ts'
import { startOpening } from '../../src/seal/age.ts'
import { openWithPassphrase } from '../../src/seal/passphrase.ts'
import { parseIdentity } from '../../src/seal/x25519.ts'
import { run } from './sealDriver.ts'

const test = suite('sealed objects of earlier versions')

const kept = (name: string) => readFileSync(join(import.meta.dirname, '../vectors/age', name))

test('a message sealed by version 0.1 opens with its identity, and that with its passphrase', async () => {
  const file = await openWithPassphrase(kept('identity.age'), new Secret('password'), { maxLogN: 12 })
  const identity = parseIdentity(Buffer.from(file).toString().trim())
  const { released, fault } = run(startOpening([identity]), [kept('message.age')])
  assert.is(fault, undefined)
  assert.equal(released, kept('message.eml'))
})

test.run()
