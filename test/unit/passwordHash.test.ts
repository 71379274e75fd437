import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Secret } from '../../src/core/secret.ts'
import { hashPassword, isHashOf } from '../../src/keys/passwordHash.ts'
import { codeOf } from '../support/codeOf.ts'

/** Of nobody's password, and quickly found not to be of another. */
const cheap = `$argon2id$v=19$m=64,t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`
const guess = new Secret('some guess')

test('a hash is of its own password alone', async () => {
  const password = new Secret('four plain words joined')
  const hash = await hashPassword(password)
  assert.match(hash, /^\$argon2id\$v=19\$m=47104,t=1,p=1\$/)
  assert.is(await isHashOf(hash, password, 'anyone'), true)
  assert.is(await isHashOf(hash, guess, 'known'), false)
  assert.is(await isHashOf(undefined, password, 'known'), false)
})

test('however many strangers try, who is known gets a turn and a new password is made', async () => {
  const strangers = Array.from({ length: 65 }, () => isHashOf(cheap, guess, 'anyone'))
  assert.is(await codeOf(isHashOf(cheap, guess, 'anyone')), 'overloaded')
  const [known, made] = await Promise.all([isHashOf(cheap, guess, 'known'), hashPassword(guess)])
  assert.is(known, false)
  assert.ok(made.startsWith('$argon2id$'))
  assert.equal(new Set(await Promise.all(strangers)), new Set([false]))
})

test.run()
