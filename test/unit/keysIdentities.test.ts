import { createHash } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { newMailboxId } from '../../src/core/ids.ts'
import { Secret } from '../../src/core/secret.ts'
import { createIdentity, generatePassword, identityFile, unlockIdentities } from '../../src/keys/identities.ts'
import { openWithPassphrase } from '../../src/seal/passphrase.ts'
import { recipientOf } from '../../src/seal/x25519.ts'
import { memoryKeys } from '../support/memoryKeys.ts'

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof GatewayError ? error.code : String(error)),
  )

test('a generated password has 160 bits in base32, is safe in shells and URLs, and no two are alike', () => {
  const passwords = Array.from({ length: 200 }, () => generatePassword().reveal())
  for (const password of passwords) {
    assert.match(password, /^([a-z2-7]{4}-){7}[a-z2-7]{4}$/)
    assert.is(encodeURIComponent(password), password)
  }
  assert.is(new Set(passwords).size, passwords.length)
  assert.is(new Set(passwords.join('').replaceAll('-', '')).size, 32)
})

test('a new identity is durable under its generation when it is named, and its digest is that of the file', async () => {
  const { keys, values, puts } = memoryKeys()
  const mailboxId = newMailboxId()
  const { identitySha256 } = await createIdentity(keys, { mailboxId, generation: 1 })
  assert.equal(puts, [`mailboxes/${mailboxId}/1.age`])
  const file = await identityFile(keys, mailboxId, 1)
  assert.is(values.get(`mailboxes/${mailboxId}/1.age`), file)
  assert.is(createHash('sha256').update(file).digest('hex'), identitySha256)
})

test('the stored file is an identity file wrapped under the password, and holds nothing in the clear', async () => {
  const { keys } = memoryKeys()
  const mailboxId = newMailboxId()
  const { password, recipient } = await createIdentity(keys, { mailboxId, generation: 1 })
  const file = Buffer.from(await identityFile(keys, mailboxId, 1))
  assert.match(file.toString('latin1'), /^age-encryption\.org\/v1\n-> scrypt \S+ 14\n/)
  for (const word of ['SECRET', recipient, password.reveal()]) assert.not.ok(file.includes(word))
  const text = Buffer.from(await openWithPassphrase(file, password, { maxLogN: 14 })).toString()
  assert.match(text, new RegExp(`^# public key: ${recipient}\nAGE-SECRET-KEY-1[A-Z0-9]+\n$`))
})

test('the password unlocks the identity, another one does not', async () => {
  const { keys } = memoryKeys()
  const mailboxId = newMailboxId()
  const { password, recipient } = await createIdentity(keys, { mailboxId, generation: 1 })
  assert.equal((await unlockIdentities(keys, mailboxId, password))?.map(recipientOf), [recipient])
  assert.is(await unlockIdentities(keys, mailboxId, generatePassword()), undefined)
  assert.is(await unlockIdentities(keys, mailboxId, new Secret('')), undefined)
})

test('a chosen password costs 2^18, is kept, and unlocks', async () => {
  const { keys } = memoryKeys()
  const [mailboxId, chosen] = [newMailboxId(), new Secret('correct horse battery staple')]
  const { password, recipient } = await createIdentity(keys, { mailboxId, generation: 1, password: chosen })
  assert.is(password.reveal(), chosen.reveal())
  assert.match(Buffer.from(await identityFile(keys, mailboxId, 1)).toString('latin1'), /^\S+\n-> scrypt \S+ 18\n/)
  assert.equal((await unlockIdentities(keys, mailboxId, chosen))?.map(recipientOf), [recipient])
})

test('each password unlocks the generations that are wrapped under it', async () => {
  const { keys } = memoryKeys()
  const mailboxId = newMailboxId()
  const first = await createIdentity(keys, { mailboxId, generation: 1 })
  const second = await createIdentity(keys, { mailboxId, generation: 2 })
  assert.equal((await unlockIdentities(keys, mailboxId, first.password))?.map(recipientOf), [first.recipient])
  assert.equal((await unlockIdentities(keys, mailboxId, second.password))?.map(recipientOf), [second.recipient])
})

test('a mailbox that does not exist opens with nothing, and costs one scrypt all the same', async () => {
  const { keys } = memoryKeys()
  const known = newMailboxId()
  await createIdentity(keys, { mailboxId: known, generation: 1 })
  const wrong = generatePassword()
  const cpu = async (mailboxId: typeof known | undefined) => {
    const before = process.cpuUsage()
    for (let tries = 0; tries < 5; tries++) assert.is(await unlockIdentities(keys, mailboxId, wrong), undefined)
    const { user } = process.cpuUsage(before)
    return user
  }
  await cpu(known)
  const [cost, other] = [await cpu(known), await cpu(undefined)]
  assert.ok(other > cost / 2 && other < cost * 2, `${other} µs, where ${cost} are usual`)
})

test('a mailbox whose identity is not there is a failure, and no wrong password', async () => {
  assert.is(await codeOf(unlockIdentities(memoryKeys().keys, newMailboxId(), generatePassword())), 'storage-failed')
})

test('a generation is never overwritten: it may be all that opens its mail', async () => {
  const { keys } = memoryKeys()
  const mailboxId = newMailboxId()
  const { password } = await createIdentity(keys, { mailboxId, generation: 1 })
  assert.is(await codeOf(createIdentity(keys, { mailboxId, generation: 1 })), 'mailbox-conflict')
  assert.ok(await unlockIdentities(keys, mailboxId, password))
})

test('a damaged identity file is a failure, not a wrong password, and does not shut the others', async () => {
  const { keys } = memoryKeys()
  const mailboxId = newMailboxId()
  const { password } = await createIdentity(keys, { mailboxId, generation: 2 })
  await keys.put(`mailboxes/${mailboxId}/1.age`, Buffer.from('age-encryption.org/v1\nrubbish'))
  assert.is((await unlockIdentities(keys, mailboxId, password))?.length, 1)
  assert.is(await codeOf(unlockIdentities(keys, mailboxId, generatePassword())), 'storage-failed')
})

test('an identity file that does not exist is mailbox-unknown', async () => {
  assert.is(await codeOf(identityFile(memoryKeys().keys, newMailboxId(), 1)), 'mailbox-unknown')
})

test.run()
