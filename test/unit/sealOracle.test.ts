import * as age from 'age-encryption'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Secret } from '../../src/core/secret.ts'
import { sealBytes, startOpening } from '../../src/seal/age.ts'
import { openWithPassphrase, sealWithPassphrase } from '../../src/seal/passphrase.ts'
import { generateIdentity, parseIdentity, parseRecipient, recipientOf } from '../../src/seal/x25519.ts'
import { bytesOf, run } from './sealDriver.ts'

const test = suite('sealing beside age-encryption')

const ours = await generateIdentity()
const theirs = await age.generateX25519Identity()
const sizes = [0, 1, 10_000, 65_535, 65_536, 65_537, 131_072, 150_000]

test('both derive the same recipient from an identity', async () => {
  assert.is(await age.identityToRecipient(ours.identity), ours.recipient)
  assert.is(recipientOf(parseIdentity(theirs)), await age.identityToRecipient(theirs))
})

test('age-encryption opens what was sealed here', async () => {
  const decrypter = new age.Decrypter()
  decrypter.addIdentity(theirs)
  const recipients = [ours.recipient, await age.identityToRecipient(theirs)].map(parseRecipient)
  for (const size of sizes) {
    const plaintext = bytesOf(size, size)
    assert.is(Buffer.compare(await decrypter.decrypt(sealBytes(recipients, plaintext)), plaintext), 0, String(size))
  }
})

test('what age-encryption sealed opens here', async () => {
  const encrypter = new age.Encrypter()
  encrypter.addRecipient(await age.identityToRecipient(theirs))
  encrypter.addRecipient(ours.recipient)
  for (const size of sizes) {
    const sealed = await encrypter.encrypt(bytesOf(size, size))
    const { released, fault } = run(startOpening([parseIdentity(ours.identity)]), [sealed])
    assert.is(fault, undefined)
    assert.is(Buffer.compare(released, bytesOf(size, size)), 0, String(size))
  }
})

test('a passphrase works both ways', async () => {
  const text = 'pässphrase'
  const plaintext = bytesOf(100, 1)
  const decrypter = new age.Decrypter()
  decrypter.addPassphrase(text)
  const sealed = await sealWithPassphrase(plaintext, new Secret(text), { logN: 10 })
  assert.is(Buffer.compare(await decrypter.decrypt(sealed), plaintext), 0)
  const encrypter = new age.Encrypter()
  encrypter.setPassphrase(text)
  encrypter.setScryptWorkFactor(10)
  const opened = await openWithPassphrase(await encrypter.encrypt(plaintext), new Secret(text), { maxLogN: 10 })
  assert.is(Buffer.compare(opened, plaintext), 0)
})

test.run()
