import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { type Append, systemClock, type Vault } from '../../src/core/ports.ts'
import { Secret } from '../../src/core/secret.ts'
import { mailboxStream } from '../../src/core/streams.ts'
import { mailboxOf } from '../../projections/mailboxes.ts'
import { check } from '../../src/fsck.ts'
import { guessingGuard } from '../../src/keys/guessingGuard.ts'
import { generatePassword } from '../../src/keys/passwords.ts'
import type { KeysChanged } from '../../src/mailboxes/keyChanges.ts'
import { openWithPassphrase, workFactorOf } from '../../src/seal/passphrase.ts'
import { generateIdentity } from '../../src/seal/x25519.ts'
import { codeOf } from '../support/codeOf.ts'
import { keyWorld, sharedStores } from '../support/keyWorld.ts'

const test = suite('key changes')

const generated = { wanted: undefined }
type World = ReturnType<typeof keyWorld>

/** The key file of that beginning. */
const fileOf = ({ values }: World, start: string) => {
  const found = [...values].find(([name]) => name.split('/').at(-1)?.startsWith(start))
  if (found === undefined) throw new Error(`no file ${start}`)
  const [name, bytes] = found
  return { name, bytes }
}
const costOf = (world: World, start: string) => workFactorOf(fileOf(world, start).bytes)
const passwordOf = ({ password }: { readonly password: Secret | undefined }) => password ?? new Secret('')

test('after a change the new password opens what the old one opened, and the old one nothing', async () => {
  const world = keyWorld()
  const { mailboxId, password: old } = await world.create()
  const done = await world.keyChanges.changePassword(world.change(mailboxId), { old, ...generated })
  assert.equal([done.revision, done.generations, done.shut], [1, [1], { messages: 0, inMaildrop: 0 }])
  assert.equal(await world.opens(mailboxId, passwordOf(done)), [1])
  assert.is(await world.opens(mailboxId, old), undefined)
  assert.equal(await world.told(mailboxId), ['MailboxCreated', 'MailboxPasswordChanged'])
})

test('what was replaced stays until the new password has opened it', async () => {
  const world = keyWorld()
  const { mailboxId, password: old } = await world.create()
  const done = await world.keyChanges.changePassword(world.change(mailboxId), { old, ...generated })
  assert.is(await world.opens(mailboxId, old), undefined)
  assert.is(world.files().length, 2)
  assert.ok(world.files().includes('1.age'))
  await world.opens(mailboxId, passwordOf(done))
  assert.is(world.files().length, 1)
  assert.match(world.files()[0] ?? '', /^1\.1\.[0-9a-f]{16}\.age$/)
  assert.equal(await world.opens(mailboxId, passwordOf(done)), [1])
})

test('a chosen password is taken and not told; one that POP3 cannot carry is refused before anything is tried', async () => {
  const world = keyWorld(sharedStores(), { logN: undefined })
  const { mailboxId, password: old } = await world.create()
  assert.is(costOf(world, '1.age'), 14)
  const refused = world.keyChanges.changePassword(world.change(mailboxId), { old, wanted: 'short' })
  assert.is(await codeOf(refused), 'request-invalid')
  const wanted = 'four words of mine'
  const done = await world.keyChanges.changePassword(world.change(mailboxId), { old, wanted })
  assert.is(done.password, undefined)
  assert.is(costOf(world, '1.1.'), 18)
  assert.equal(await world.opens(mailboxId, new Secret(wanted)), [1])
})

test('a wrong old password changes nothing, and is held back as it is at a login', async () => {
  const world = keyWorld(sharedStores(), { guard: guessingGuard(systemClock) })
  const { mailboxId, password } = await world.create()
  const codes: unknown[] = []
  for (let tries = 0; tries < 2; tries++) {
    const change = world.change(mailboxId, { remoteAddress: '192.0.2.7' })
    codes.push(await codeOf(world.keyChanges.changePassword(change, { old: generatePassword(), ...generated })))
  }
  assert.equal(codes, ['password-wrong', 'too-many-attempts'])
  assert.equal(await world.told(mailboxId), ['MailboxCreated'])
  assert.equal(world.files(), ['1.age'])
  assert.ok(password)
})

test('after a rotation one scrypt opens old and new mail, and the mailbox shows its new key', async () => {
  const world = keyWorld()
  const { mailboxId, password } = await world.create()
  const first = await world.keyChanges.rotateKey(world.change(mailboxId), password)
  const second = await world.keyChanges.rotateKey(world.change(mailboxId), password)
  assert.equal(
    [first.generations, second.generations],
    [
      [1, 2],
      [1, 2, 3],
    ],
  )
  assert.equal(await world.opens(mailboxId, password), [1, 2, 3])
  const { keyring, recipient, generation } = mailboxOf(world.reader, mailboxId) ?? {}
  assert.equal([recipient, generation], [second.recipient, 3])
  assert.equal(
    keyring?.generations.map(({ wrappedTo }) => wrappedTo),
    [3, 3, 'password'],
  )
  assert.is(world.files().length, 3)
})

test('after a reset the old password opens the old mail and the new one the new, and the answer says how much is old', async () => {
  const world = keyWorld()
  const { mailboxId, password: old } = await world.create()
  for (let mails = 0; mails < 3; mails++) await world.arrive(mailboxId)
  const done = await world.keyChanges.resetPassword(world.change(mailboxId), generated)
  assert.equal(done.shut, { messages: 3, inMaildrop: 3 })
  assert.equal(await world.opens(mailboxId, old), [1])
  assert.equal(await world.opens(mailboxId, passwordOf(done)), [2])
  assert.is(await codeOf(world.keyChanges.rotateKey(world.change(mailboxId), old)), 'password-older')
})

test('whoever finds the old password after a reset gives it the new one, and one password opens all again', async () => {
  const world = keyWorld()
  const { mailboxId, password: old } = await world.create()
  await world.keyChanges.rotateKey(world.change(mailboxId), old)
  const reset = await world.keyChanges.resetPassword(world.change(mailboxId), generated)
  const wanted = passwordOf(reset).reveal()
  const done = await world.keyChanges.changePassword(world.change(mailboxId), { old, wanted })
  assert.equal(done.generations, [1, 2])
  assert.equal(await world.opens(mailboxId, passwordOf(reset)), [1, 2, 3])
  // Which the next rotation makes one scrypt of.
  await world.keyChanges.rotateKey(world.change(mailboxId), passwordOf(reset))
  assert.equal(
    mailboxOf(world.reader, mailboxId)?.keyring.generations.map(({ wrappedTo }) => wrappedTo),
    [4, 4, 4, 'password'],
  )
  assert.equal(await world.opens(mailboxId, passwordOf(reset)), [1, 2, 3, 4])
})

test('who holds the recovery identity gives a mailbox whose password is lost a new one, for all of its mail', async () => {
  const world = keyWorld()
  const kept = await generateIdentity()
  const { mailboxId, password: lost } = await world.create(kept.recipient)
  await world.keyChanges.rotateKey(world.change(mailboxId), lost)
  await world.keyChanges.resetPassword(world.change(mailboxId), generated)
  const identity = new Secret(`# ours\n${kept.identity}\n`)
  const done = await world.keyChanges.recover(world.change(mailboxId), { identity, ...generated })
  assert.equal(done.generations, [1, 2, 3])
  assert.equal(await world.opens(mailboxId, passwordOf(done)), [1, 2, 3])
  assert.is(await world.opens(mailboxId, lost), undefined)
  assert.is((await world.told(mailboxId)).at(-1), 'MailboxRecovered')
})

test('a recovery recipient that is said later holds for the keys that the password opens and those to come', async () => {
  const world = keyWorld()
  const [kept, other] = [await generateIdentity(), await generateIdentity()]
  const { mailboxId, password } = await world.create()
  const recover = ({ identity }: { identity: string }) =>
    world.keyChanges.recover(world.change(mailboxId), { identity: new Secret(identity), ...generated })
  assert.is(await codeOf(recover(kept)), 'password-wrong')
  await world.keyChanges.setRecovery(world.change(mailboxId), { password, recipient: kept.recipient })
  await world.keyChanges.rotateKey(world.change(mailboxId), password)
  await world.keyChanges.setRecovery(world.change(mailboxId), { password, recipient: other.recipient })
  assert.is(await codeOf(recover(kept)), 'password-wrong')
  const done = await recover(other)
  assert.equal(done.generations, [1, 2])
  await world.keyChanges.setRecovery(world.change(mailboxId), { password: passwordOf(done), recipient: null })
  assert.is(await codeOf(recover(other)), 'password-wrong')
  assert.equal(await world.opens(mailboxId, passwordOf(done)), [1, 2])
  assert.is(world.files().filter((name) => name?.includes('recovery')).length, 0)
})

test('the identity of the mailbox itself, opened elsewhere, recovers it too', async () => {
  const world = keyWorld()
  const { mailboxId, password } = await world.create()
  await world.keyChanges.rotateKey(world.change(mailboxId), password)
  const identity = await clearOf(world, '2.1.', password)
  const done = await world.keyChanges.recover(world.change(mailboxId), { identity, ...generated })
  assert.equal(done.generations, [1, 2])
  assert.equal(await world.opens(mailboxId, passwordOf(done)), [1, 2])
})

test('what is no identity, and no recipient, is refused with nothing of it in the answer', async () => {
  const world = keyWorld()
  const { mailboxId, password } = await world.create()
  const identity = new Secret('AGE-SECRET-KEY-1NONSENSE')
  const error: unknown = await world.keyChanges
    .recover(world.change(mailboxId), { identity, ...generated })
    .catch((reason: unknown) => reason)
  assert.is((error as GatewayError).code, 'request-invalid')
  assert.not.ok((error as GatewayError).message.includes('NONSENSE'))
  const to = { password, recipient: 'age1nonsense' }
  assert.is(await codeOf(world.keyChanges.setRecovery(world.change(mailboxId), to)), 'request-invalid')
  assert.is(await codeOf(world.create('age1nonsense')), 'request-invalid')
})

test('keys of a deleted mailbox are not changed, those of a suspended one under a hold are', async () => {
  const world = keyWorld()
  const { mailboxId, password } = await world.create()
  const change = world.change(mailboxId)
  await world.mailboxes.suspend(change, 'audit')
  await world.mailboxes.hold(change, 'lawsuit')
  await world.keyChanges.rotateKey(world.change(mailboxId), password)
  await world.mailboxes.release(change, 'settled')
  await world.mailboxes.delete(change, { reason: 'gone', force: false })
  for (const work of [
    () => world.keyChanges.rotateKey(world.change(mailboxId), password),
    () => world.keyChanges.resetPassword(world.change(mailboxId), generated),
    () => world.keyChanges.changePassword(world.change(mailboxId), { old: password, ...generated }),
  ])
    assert.is(await codeOf(work()), 'mailbox-conflict')
})

test('If-Match that names another revision changes nothing', async () => {
  const world = keyWorld()
  const { mailboxId, password: old } = await world.create()
  const change = world.change(mailboxId, { ifMatch: [7] })
  assert.is(await codeOf(world.keyChanges.changePassword(change, { old, ...generated })), 'revision-mismatch')
  assert.equal(world.files(), ['1.age'])
})

// Many keys.

test('a login is tried on the files written last only; a change on all, and what it opens is among the last again', async () => {
  const world = keyWorld()
  const { mailboxId, password: old } = await world.create()
  const resets = []
  for (let times = 0; times < 2; times++)
    resets.push(passwordOf(await world.keyChanges.resetPassword(world.change(mailboxId), generated)))
  assert.is(await world.opens(mailboxId, old, 2), undefined)
  const done = await world.keyChanges.changePassword(world.change(mailboxId), { old, ...generated })
  assert.equal(done.generations, [1])
  assert.equal(await world.opens(mailboxId, passwordOf(done), 2), [1])
  assert.equal(await world.opens(mailboxId, resets[1] ?? old, 2), [3])
  assert.is(await world.opens(mailboxId, resets[0] ?? old, 2), undefined)
  assert.equal(await world.opens(mailboxId, resets[0] ?? old), [2])
})

test('whoever waits for one scrypt has it between those of a login that is tried on many files', async () => {
  const stores = sharedStores()
  const [many, world] = [keyWorld(stores, { logN: undefined }), keyWorld(stores)]
  const { mailboxId } = await many.create()
  const other = await many.create()
  for (let times = 0; times < 4; times++) await many.keyChanges.resetPassword(many.change(mailboxId), generated)
  const ended: string[] = []
  const slow = many.opens(mailboxId, generatePassword()).then(() => ended.push('many'))
  await delay(10)
  await Promise.all([slow, world.opens(other.mailboxId, other.password).then(() => ended.push('one'))])
  assert.equal(ended, ['one', 'many'])
})

// Damage.

/** Damages the file of that beginning. */
const damage = (world: World, start: string) => world.values.set(fileOf(world, start).name, Buffer.from('damaged'))

test('nothing that was replaced is removed while a newer key that opens its successor is damaged', async () => {
  for (const lost of ['2.1.', '1.recovery.']) {
    const world = keyWorld()
    const { mailboxId, password } = await world.create((await generateIdentity()).recipient)
    await world.keyChanges.rotateKey(world.change(mailboxId), password)
    const files = world.files()
    damage(world, lost)
    assert.is((await problemsOf(world, true)).length, 1)
    if (lost.includes('recovery')) assert.equal(await world.opens(mailboxId, password), [1, 2])
    assert.equal(world.files(), files, lost)
  }
})

test('a login that some damaged keys do not keep out is told of them, those too that they would open', async () => {
  const world = keyWorld()
  const { mailboxId, password } = await world.create()
  await world.keyChanges.rotateKey(world.change(mailboxId), password)
  const reset = await world.keyChanges.resetPassword(world.change(mailboxId), generated)
  assert.equal(await world.opens(mailboxId, passwordOf(reset)), [3])
  assert.equal(world.found, [])
  damage(world, '2.1.')
  assert.equal(await world.opens(mailboxId, passwordOf(reset)), [3])
  assert.equal(world.found, [2])
})

/** What `age -d` gives of the identity file of that beginning, under a password. */
const clearOf = async (world: World, start: string, password: Secret) => {
  const clear = await openWithPassphrase(fileOf(world, start).bytes, password, { maxLogN: 18 })
  return new Secret(Buffer.from(clear).toString())
}

test('a recovery restores what it says, a key too whose file is damaged and that the log says is wrapped to another', async () => {
  const { identity, recipient } = await generateIdentity()
  const world = keyWorld()
  const { mailboxId, password } = await world.create(recipient)
  await world.keyChanges.rotateKey(world.change(mailboxId), password)
  damage(world, '1.1.')
  const by = { identity: new Secret(identity), ...generated }
  const done = await world.keyChanges.recover(world.change(mailboxId), by)
  assert.equal(done.generations, [1, 2])
  assert.equal(await world.opens(mailboxId, passwordOf(done)), [1, 2])
  assert.equal(await problemsOf(world), [])
})

test("an older key's identity takes nothing from the password that opens it by a newer key, unless that one is damaged", async () => {
  const world = keyWorld()
  const { mailboxId, password } = await world.create()
  const identity = await clearOf(world, '1.age', password)
  const newer = await world.keyChanges.rotateKey(world.change(mailboxId), password)
  const recover = () => world.keyChanges.recover(world.change(mailboxId), { identity, ...generated })
  const refused: unknown = await recover().catch((error: unknown) => error)
  assert.is((refused as GatewayError).code, 'identity-older')
  assert.ok((refused as GatewayError).message.includes(`key 2 (${newer.recipient})`))
  assert.equal(await world.opens(mailboxId, password), [1, 2])
  damage(world, '2.1.')
  const done = await recover()
  assert.equal(await world.opens(mailboxId, passwordOf(done)), [1])
})

test('a reset is answered with its password even if nobody can count what stays shut', async () => {
  const stores = sharedStores()
  const { mailboxId } = await keyWorld(stores).create()
  const world = keyWorld(stores, { countShut: () => Promise.reject(new GatewayError('views-behind')) })
  const done = await world.keyChanges.resetPassword(world.change(mailboxId), generated)
  assert.is(done.shut, null)
  assert.equal(await world.opens(mailboxId, passwordOf(done)), [2])
})

// Crashes and races.

type Mailbox = Awaited<ReturnType<World['create']>>
type Work = (
  world: World,
  mailbox: Mailbox,
  wanted?: string,
) => Promise<KeysChanged & { readonly password?: Secret | undefined }>
const chosen = 'the new one of a test'
const changes: Readonly<Record<string, Work>> = {
  'a password change': (world, { mailboxId, password: old }, wanted) =>
    world.keyChanges.changePassword(world.change(mailboxId), { old, wanted }),
  'a rotation': (world, { mailboxId, password }) => world.keyChanges.rotateKey(world.change(mailboxId), password),
  'a reset': (world, { mailboxId }, wanted) => world.keyChanges.resetPassword(world.change(mailboxId), { wanted }),
  'a change of who can recover': async (world, { mailboxId, password }) => {
    const { recipient } = await generateIdentity()
    return world.keyChanges.setRecovery(world.change(mailboxId), { password, recipient })
  },
}

/** What fsck says of the key files. */
const problemsOf = async ({ log, keys }: World, repair = false) => {
  const vault = { async *list() {} } as unknown as Vault
  return (await check({ log, vault, keys, clock: systemClock, repair, progress: () => undefined })).problems
}

class Died extends Error {}

for (const [name, work] of Object.entries(changes)) {
  test(`${name} that dies before any of its steps leaves the mailbox as it was, and can be made again`, async () => {
    for (let step = 0; ; step++) {
      const stores = sharedStores()
      const before = keyWorld(stores)
      const mailbox = await before.create((await generateIdentity()).recipient)
      await before.keyChanges.rotateKey(before.change(mailbox.mailboxId), mailbox.password)
      let left = step
      let died = false as boolean
      // As a process that is gone: from that step on nothing is written, and nothing cleaned up.
      const mortal =
        <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
        (...args: A): Promise<R> => {
          if (died || left-- === 0) {
            died = true
            return Promise.reject(new Died())
          }
          return method(...args)
        }
      const dying = keyWorld(stores, {
        keys: { add: mortal(stores.keys.add), put: mortal(stores.keys.put), remove: mortal(stores.keys.remove) },
        append: mortal((one: Append) => stores.log.append(one)),
      })
      const outcome = await work(dying, mailbox).then(
        () => 'done',
        () => 'died',
      )
      const after = keyWorld(stores)
      await after.visible()
      if (outcome === 'done' && !died) break
      assert.equal(await after.opens(mailbox.mailboxId, mailbox.password), [1, 2], `step ${step}`)
      const { password } = await work(after, mailbox)
      const open = [
        ...((await after.opens(mailbox.mailboxId, mailbox.password)) ?? []),
        ...((password && (await after.opens(mailbox.mailboxId, password))) ?? []),
      ]
      assert.ok(
        [1, 2].every((generation) => open.includes(generation)),
        `step ${step}`,
      )
      const keyring = mailboxOf(after.reader, mailbox.mailboxId)?.keyring
      const named = (keyring?.generations ?? []).flatMap(({ recovery }) => (recovery ? [1, 1] : [1]))
      assert.is(after.files().length, named.length, `step ${step}: ${after.files().join(' ')}`)
    }
  })

  test(`${name} whose record may have been written leaves its files, and the log says which ones count`, async () => {
    const stores = sharedStores()
    const mailbox = await keyWorld(stores).create()
    const world = keyWorld(stores, {
      append: async (one) => {
        await stores.log.append(one)
        throw new GatewayError('outcome-unknown')
      },
    })
    assert.is(await codeOf(work(world, mailbox, chosen)), 'outcome-unknown')
    const after = keyWorld(stores)
    const open = [
      ...((await after.opens(mailbox.mailboxId, mailbox.password)) ?? []),
      ...((await after.opens(mailbox.mailboxId, new Secret(chosen))) ?? []),
    ]
    assert.ok(open.includes(1))
  })

  test(`${name} whose record is there keeps its files, though the repeat of the append was refused`, async () => {
    for (const code of ['not-written', 'storage-full', 'storage-failed'] as const) {
      const stores = sharedStores()
      const mailbox = await keyWorld(stores).create()
      let first = true
      const world = keyWorld(stores, {
        append: async (one) => {
          if (first) await stores.log.append(one)
          const failure = new GatewayError(first ? 'outcome-unknown' : code)
          first = false
          throw failure
        },
      })
      assert.is(await codeOf(work(world, mailbox, undefined)), 'outcome-unknown')
      const after = keyWorld(stores)
      const missing = (await problemsOf(after)).filter((problem) => problem.includes('missing'))
      assert.equal(missing, [], code)
    }
  })

  test(`${name} that the log refuses leaves no files`, async () => {
    const stores = sharedStores()
    const mailbox = await keyWorld(stores).create()
    const refusing = keyWorld(stores, { append: () => Promise.reject(new GatewayError('storage-full')) })
    assert.is(await codeOf(work(refusing, mailbox)), 'storage-full')
    assert.equal(refusing.files(), ['1.age'])
  })
}

test('of two changes at once, on two gateways, one is made and the other told so', async () => {
  const stores = sharedStores()
  const [one, other] = [keyWorld(stores), keyWorld(stores)]
  const { mailboxId, password: old } = await one.create()
  const outcomes = await Promise.allSettled([
    one.keyChanges.changePassword(one.change(mailboxId), { old, ...generated }),
    other.keyChanges.changePassword(other.change(mailboxId), { old, ...generated }),
  ])
  const [won] = outcomes.filter((outcome) => outcome.status === 'fulfilled')
  const [lost] = outcomes.filter((outcome) => outcome.status === 'rejected')
  assert.is((lost?.reason as GatewayError).code, 'revision-conflict')
  assert.equal(await other.opens(mailboxId, won ? passwordOf(won.value) : old), [1])
  assert.is(one.files().length, 1)
  assert.equal(await one.told(mailboxId), ['MailboxCreated', 'MailboxPasswordChanged'])
})

test('a change that something else of the mailbox comes before is made all the same', async () => {
  const stores = sharedStores()
  const between = keyWorld(stores)
  const { mailboxId, password } = await between.create()
  let once = true
  const world = keyWorld(stores, {
    append: async (one) => {
      if (once && one.stream === mailboxStream(mailboxId)) {
        once = false
        await between.mailboxes.rename(between.change(mailboxId), 'Other')
      }
      return stores.log.append(one)
    },
  })
  await world.keyChanges.rotateKey(world.change(mailboxId), password)
  assert.equal(await world.opens(mailboxId, password), [1, 2])
  assert.is(world.files().length, 2)
})

test('files that another gateway is about to name are left alone', async () => {
  const stores = sharedStores()
  const mailbox = await keyWorld(stores).create()
  const { mailboxId, password } = mailbox
  const gate = Promise.withResolvers<undefined>()
  const reached = Promise.withResolvers<undefined>()
  const slow = keyWorld(stores, {
    append: async (one) => {
      reached.resolve(undefined)
      await gate.promise
      return stores.log.append(one)
    },
  })
  const rotating = slow.keyChanges.rotateKey(slow.change(mailboxId), password)
  await reached.promise
  const other = keyWorld(stores)
  assert.equal(await other.opens(mailboxId, password), [1])
  assert.is(other.files().length, 3)
  gate.resolve(undefined)
  await rotating
  assert.equal(await other.opens(mailboxId, password), [1, 2])
  assert.is(other.files().length, 2)
})

test('a login that comes while the files it knows are replaced finds the new ones', async () => {
  const stores = sharedStores()
  const first = keyWorld(stores)
  const { mailboxId, password } = await first.create()
  let once = true
  const late = keyWorld(stores, {
    keys: {
      list: async (prefix) => {
        if (once) {
          once = false
          await first.keyChanges.rotateKey(first.change(mailboxId), password)
          await first.opens(mailboxId, password)
        }
        return stores.keys.list(prefix)
      },
    },
  })
  assert.equal(await late.opens(mailboxId, password), [1, 2])
})

test('a password that is changed while a login with it waits opens nothing any more', async () => {
  const stores = sharedStores()
  const first = keyWorld(stores)
  const { mailboxId, password: old } = await first.create()
  let once = true
  const late = keyWorld(stores, {
    keys: {
      list: async (prefix) => {
        if (once) {
          once = false
          await first.keyChanges.changePassword(first.change(mailboxId), { old, ...generated })
        }
        return stores.keys.list(prefix)
      },
    },
  })
  assert.is(await late.opens(mailboxId, old), undefined)
  assert.ok(first.files().includes('1.age'))
})

test.run()
