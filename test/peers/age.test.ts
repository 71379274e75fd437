import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Secret } from '../../src/core/secret.ts'
import { sealBytes, startOpening } from '../../src/seal/age.ts'
import { openWithPassphrase, sealWithPassphrase } from '../../src/seal/passphrase.ts'
import { generateIdentity, parseIdentity, parseRecipient, recipientOf } from '../../src/seal/x25519.ts'
import { keyWorld, sharedStores } from '../support/keyWorld.ts'
import { peerTest } from '../support/peers.ts'
import { bytesOf, run } from '../unit/sealDriver.ts'
import { ageWithPassphrase } from './ageTerminal.ts'
import { outputOf, scratchFiles } from './program.ts'

const test = suite('the age program')

const tried = (title: string, callback: () => Promise<void>) => {
  peerTest(test, ['age', 'age-keygen', 'python3'], title, callback)
}

const files = scratchFiles()
test.after(files.remove)

const sizes = [0, 1, 10_000, 65_536, 65_537, 1_000_000]
const passphrase = 'six words that nobody ever guessed'
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0

tried('age opens what was sealed here', async () => {
  const { identity, recipient } = await generateIdentity()
  const key = files.write('ours.txt', `${identity}\n`)
  for (const size of sizes) {
    const sealed = sealBytes([parseRecipient(recipient)], bytesOf(size, size))
    assert.ok(isSame(await outputOf('age', ['-d', '-i', key], { input: sealed }), bytesOf(size, size)), String(size))
  }
})

tried('what age sealed to two recipients opens here', async () => {
  const [ours, other] = [await generateIdentity(), await generateIdentity()]
  for (const size of sizes) {
    const sealed = await outputOf('age', ['-r', other.recipient, '-r', ours.recipient], { input: bytesOf(size, size) })
    const { released, fault } = run(startOpening([parseIdentity(ours.identity)]), [sealed])
    assert.is(fault, undefined)
    assert.ok(isSame(released, bytesOf(size, size)), String(size))
  }
})

tried('age-keygen and the gateway derive the same recipient from an identity', async () => {
  const theirs = (await outputOf('age-keygen', [])).toString()
  const identity = /^AGE-SECRET-KEY-1\w+$/m.exec(theirs)?.[0] ?? ''
  assert.ok(theirs.includes(`# public key: ${recipientOf(parseIdentity(identity))}\n`))
  const ours = await generateIdentity()
  const derived = (await outputOf('age-keygen', ['-y', files.write('derive.txt', `${ours.identity}\n`)])).toString()
  assert.is(derived, `${ours.recipient}\n`)
})

tried('age opens with the passphrase what was sealed with it here', async () => {
  const sealed = files.write(
    'ours.age',
    await sealWithPassphrase(bytesOf(1000, 1), new Secret(passphrase), { logN: 14 }),
  )
  const opened = join(files.dir, 'opened')
  await ageWithPassphrase(passphrase, ['-d', '-o', opened, sealed])
  assert.ok(isSame(readFileSync(opened), bytesOf(1000, 1)))
})

tried('what age sealed with a passphrase opens with it here', async () => {
  const sealed = join(files.dir, 'theirs.age')
  await ageWithPassphrase(passphrase, ['-p', '-o', sealed, files.write('plain', bytesOf(1000, 2))])
  const opened = await openWithPassphrase(readFileSync(sealed), new Secret(passphrase), { maxLogN: 18 })
  assert.ok(isSame(opened, bytesOf(1000, 2)))
})

tried('age refuses a sealed object with one bit flipped', async () => {
  const { identity, recipient } = await generateIdentity()
  const sealed = Buffer.from(sealBytes([parseRecipient(recipient)], bytesOf(1000, 3)))
  sealed[sealed.length - 1] = (sealed[sealed.length - 1] ?? 0) ^ 1
  const { status } = spawnSync('age', ['-d', '-i', files.write('flip.txt', identity)], { input: sealed })
  assert.is(status, 1)
})

tried(
  'a mailbox whose key was rotated is opened with age alone, by its password and by the recovery identity',
  async () => {
    const world = keyWorld(sharedStores(), { logN: undefined })
    const kept = await generateIdentity()
    const { mailboxId, password } = await world.create(kept.recipient)
    const { messageId, sealed } = await world.arrive(mailboxId)
    await world.keyChanges.rotateKey(world.change(mailboxId), password)
    const stored = (pattern: RegExp) => {
      const [name = '', bytes = Buffer.alloc(0)] = [...world.values].find(([one]) => pattern.test(one)) ?? []
      return files.write(name.replaceAll('/', '.'), bytes)
    }
    const inTheDirectory = (name: string) => join(files.dir, name)
    await ageWithPassphrase(password.reveal(), ['-d', '-o', inTheDirectory('2.txt'), stored(/\/2\.1\..*\.age$/)])
    const first = await outputOf('age', ['-d', '-i', inTheDirectory('2.txt'), stored(/\/1\.1\..*\.age$/)])
    const opened = await outputOf('age', ['-d', '-i', files.write('1.txt', first)], { input: sealed })
    assert.is(opened.toString(), `mail ${messageId}`)

    const recovery = files.write('recovery.txt', `${kept.identity}\n`)
    const recovered = await outputOf('age', ['-d', '-i', recovery, stored(/\/1\.recovery\.age$/)])
    assert.ok(isSame(recovered, first))
    const second = await outputOf('age', ['-d', '-i', recovery, stored(/\/2\.recovery\..*\.age$/)])
    assert.ok(isSame(second, readFileSync(inTheDirectory('2.txt'))))
  },
)

test.run()
