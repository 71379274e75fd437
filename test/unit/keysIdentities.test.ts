import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { MailboxId } from '../../src/core/ids.ts'
import { newMailboxId } from '../../src/core/ids.ts'
import type { KeyStore } from '../../src/core/ports.ts'
import { Secret } from '../../src/core/secret.ts'
import { createIdentity } from '../../src/keys/identities.ts'
import { chosenPassword, generatePassword } from '../../src/keys/passwords.ts'
import { namedFile, namesOf, type Ring, sha256Of } from '../../src/keys/ring.ts'
import { unlockIdentities } from '../../src/keys/unlock.ts'
import { openWithPassphrase } from '../../src/seal/passphrase.ts'
import { recipientOf } from '../../src/seal/x25519.ts'
import { codeOf } from '../support/codeOf.ts'
import { memoryKeys } from '../support/memoryKeys.ts'

/** A mailbox with a first generation, as its creation makes it. */
const given = async (request: { readonly password?: Secret } = {}) => {
  const { keys, values, puts } = memoryKeys()
  const mailboxId = newMailboxId()
  const chosen = request.password && { given: { password: request.password } }
  const made = await createIdentity(keys, { mailboxId, generation: 1, ...chosen })
  return { keys, values, puts, mailboxId, ...made, ring: ringOf(mailboxId, made) }
}

const ringOf = (mailboxId: MailboxId, { recipient, identitySha256 }: { recipient: string; identitySha256: string }) => {
  const one = { generation: 1, recipient, sha256: identitySha256, wrappedTo: 'password', recovery: null } as const
  const ring: Ring = { mailboxId, revision: 0, keyring: { generations: [{ ...one, createdAt: '' }], recovery: null } }
  return ring
}

const fileOf = async (keys: KeyStore, { mailboxId, keyring }: Ring) => {
  const [{ generation, sha256 } = { generation: 0, sha256: '' }] = keyring.generations
  const names = await namesOf(keys, mailboxId)
  return (await namedFile(keys, { mailboxId, names }, { generation, sha256, kind: 'identity' })).bytes
}

const unlocked = async (keys: KeyStore, ring: Ring | undefined, password: Secret) =>
  (await unlockIdentities(keys, ring, { password }))?.opened.map(({ identity }) => recipientOf(identity))

test('a generated password has 160 bits in base32, is safe in shells and URLs, and no two are alike', () => {
  const passwords = Array.from({ length: 200 }, () => generatePassword().reveal())
  for (const password of passwords) {
    assert.match(password, /^([a-z2-7]{4}-){7}[a-z2-7]{4}$/)
    assert.is(encodeURIComponent(password), password)
    assert.is(chosenPassword(password).reveal(), password)
  }
  assert.is(new Set(passwords).size, passwords.length)
  assert.is(new Set(passwords.join('').replaceAll('-', '')).size, 32)
})

test('a chosen password is one that every POP3 client can send, and the refusal does not repeat it', () => {
  for (const good of ['twelve chars', 'x'.repeat(128), '!"#$%&/()=?`~']) assert.is(chosenPassword(good).reveal(), good)
  for (const bad of [
    'eleven char',
    'x'.repeat(129),
    ' leading space',
    'trailing space ',
    'a tab\tin the middle',
    'Schlüsselwörter',
    'two\nlines of it',
  ])
    assert.throws(
      () => chosenPassword(bad),
      (error: Error) => error.message.includes('must be 12 to 128') && !error.message.includes(bad),
    )
})

test('a new identity is durable under its generation when it is named, and its digest is that of the file', async () => {
  const { puts, values, mailboxId, identitySha256, written } = await given()
  assert.equal(puts, [`mailboxes/${mailboxId}/1.age`])
  assert.equal(written, puts)
  assert.is(sha256Of(values.get(`mailboxes/${mailboxId}/1.age`) ?? Buffer.alloc(0)), identitySha256)
})

test('the stored file is an identity file wrapped under the password, and holds nothing in the clear', async () => {
  const { keys, ring, password, recipient } = await given()
  const file = Buffer.from(await fileOf(keys, ring))
  assert.match(file.toString('latin1'), /^age-encryption\.org\/v1\n-> scrypt \S+ 14\n/)
  for (const word of ['SECRET', recipient, password.reveal()]) assert.not.ok(file.includes(word))
  const text = Buffer.from(await openWithPassphrase(file, password, { maxLogN: 14 })).toString()
  assert.match(text, new RegExp(`^# public key: ${recipient}\nAGE-SECRET-KEY-1[A-Z0-9]+\n$`))
})

test('the password unlocks the identity, another one does not', async () => {
  const { keys, ring, password, recipient } = await given()
  assert.equal(await unlocked(keys, ring, password), [recipient])
  assert.is(await unlocked(keys, ring, generatePassword()), undefined)
  assert.is(await unlocked(keys, ring, new Secret('')), undefined)
})

test('a chosen password costs 2^18, is kept, and unlocks', async () => {
  const chosen = new Secret('correct horse battery staple')
  const { keys, ring, password, recipient } = await given({ password: chosen })
  assert.is(password.reveal(), chosen.reveal())
  assert.match(Buffer.from(await fileOf(keys, ring)).toString('latin1'), /^\S+\n-> scrypt \S+ 18\n/)
  assert.equal(await unlocked(keys, ring, chosen), [recipient])
})

test('a mailbox that does not exist opens with nothing, and costs one scrypt all the same', async () => {
  const { keys, ring } = await given()
  const wrong = generatePassword()
  const cpu = async (known: Ring | undefined) => {
    const before = process.cpuUsage()
    for (let tries = 0; tries < 3; tries++) assert.is(await unlocked(keys, known, wrong), undefined)
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
  await cpu(ring)
  // What shares the processor makes a measure larger, never smaller.
  let [cost, other] = [Infinity, Infinity]
  for (let times = 0; times < 5; times++) {
    cost = Math.min(cost, await cpu(ring))
    other = Math.min(other, await cpu(undefined))
  }
  assert.ok(other > cost / 2 && other < cost * 2, `${other} µs, where ${cost} are usual`)
})

test('a mailbox whose identity is not there is a failure, and no wrong password', async () => {
  const { ring } = await given()
  assert.is(await codeOf(unlocked(memoryKeys().keys, ring, generatePassword())), 'storage-failed')
})

test('a generation is never overwritten: it may be all that opens its mail', async () => {
  const { keys, ring, mailboxId, password } = await given()
  assert.is(await codeOf(createIdentity(keys, { mailboxId, generation: 1 })), 'mailbox-conflict')
  assert.ok(await unlocked(keys, ring, password))
})

test('a file that is not the one the log names opens nothing, and is a failure', async () => {
  const { keys, ring, mailboxId, password } = await given()
  const other = await given()
  await keys.put(`mailboxes/${mailboxId}/1.age`, await fileOf(other.keys, other.ring))
  assert.is(await codeOf(unlocked(keys, ring, other.password)), 'storage-failed')
  assert.is(await codeOf(unlocked(keys, ring, password)), 'storage-failed')
})

test.run()
