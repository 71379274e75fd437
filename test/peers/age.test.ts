import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Secret } from '../../src/core/secret.ts'
import { sealBytes, startOpening } from '../../src/seal/age.ts'
import { openWithPassphrase, sealWithPassphrase } from '../../src/seal/passphrase.ts'
import { generateIdentity, parseIdentity, parseRecipient, recipientOf } from '../../src/seal/x25519.ts'
import { bytesOf, run } from '../unit/sealDriver.ts'

const test = suite('the age program')

const missing = ['age', 'age-keygen', 'python3'].filter((program) => spawnSync(program, ['--version']).error)
const isRequired = process.env['SEALPOST_REQUIRE_PEERS'] === '1'
if (missing.length > 0) console.log(`the age program is not tried: ${missing.join(', ')} not found`)
const tried = (title: string, callback: () => Promise<void>) =>
  missing.length > 0 && !isRequired ? test.skip(title, callback) : test(title, callback)

const scratch = mkdtempSync(join(tmpdir(), 'sealpost-age-'))
test.after(() => rmSync(scratch, { recursive: true }))

const fileOf = (name: string, content: string | Uint8Array): string => {
  const path = join(scratch, name)
  writeFileSync(path, content)
  return path
}

const outputOf = (program: string, args: readonly string[], input?: Uint8Array): Buffer => {
  const { status, stdout, stderr, error } = spawnSync(program, args, { input, maxBuffer: 1 << 26, timeout: 60_000 })
  assert.is(status, 0, `${program}: ${error?.message ?? stderr.toString()}`)
  return stdout
}

/** age asks for passphrases on its controlling terminal only: this gives it one, and answers every question on it. */
const onTerminal = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b''
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    if b'passphrase' in seen and seen.rstrip().endswith(b':'):
        seen = b''
        os.write(terminal, sys.argv[1].encode() + b'\\n')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`
const answering = (passphrase: string, args: readonly string[]) =>
  outputOf('python3', ['-c', onTerminal, passphrase, 'age', ...args])

const sizes = [0, 1, 10_000, 65_536, 65_537, 1_000_000]
const passphrase = 'six words that nobody ever guessed'
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0

tried('age opens what was sealed here', async () => {
  const { identity, recipient } = await generateIdentity()
  const key = fileOf('ours.txt', `${identity}\n`)
  for (const size of sizes) {
    const sealed = sealBytes([parseRecipient(recipient)], bytesOf(size, size))
    assert.ok(isSame(outputOf('age', ['-d', '-i', key], sealed), bytesOf(size, size)), String(size))
  }
})

tried('what age sealed to two recipients opens here', async () => {
  const [ours, other] = [await generateIdentity(), await generateIdentity()]
  for (const size of sizes) {
    const sealed = outputOf('age', ['-r', other.recipient, '-r', ours.recipient], bytesOf(size, size))
    const { released, fault } = run(startOpening([parseIdentity(ours.identity)]), [sealed])
    assert.is(fault, undefined)
    assert.ok(isSame(released, bytesOf(size, size)), String(size))
  }
})

tried('age-keygen and the gateway derive the same recipient from an identity', async () => {
  const theirs = outputOf('age-keygen', []).toString()
  const identity = /^AGE-SECRET-KEY-1\w+$/m.exec(theirs)?.[0] ?? ''
  assert.ok(theirs.includes(`# public key: ${recipientOf(parseIdentity(identity))}\n`))
  const ours = await generateIdentity()
  const derived = outputOf('age-keygen', ['-y', fileOf('derive.txt', `${ours.identity}\n`)]).toString()
  assert.is(derived, `${ours.recipient}\n`)
})

tried('age opens with the passphrase what was sealed with it here', async () => {
  const sealed = fileOf('ours.age', await sealWithPassphrase(bytesOf(1000, 1), new Secret(passphrase), { logN: 14 }))
  const opened = join(scratch, 'opened')
  answering(passphrase, ['-d', '-o', opened, sealed])
  assert.ok(isSame(readFileSync(opened), bytesOf(1000, 1)))
})

tried('what age sealed with a passphrase opens with it here', async () => {
  const sealed = join(scratch, 'theirs.age')
  answering(passphrase, ['-p', '-o', sealed, fileOf('plain', bytesOf(1000, 2))])
  const opened = await openWithPassphrase(readFileSync(sealed), new Secret(passphrase), { maxLogN: 18 })
  assert.ok(isSame(opened, bytesOf(1000, 2)))
})

tried('age refuses a sealed object with one bit flipped', async () => {
  const { identity, recipient } = await generateIdentity()
  const sealed = Buffer.from(sealBytes([parseRecipient(recipient)], bytesOf(1000, 3)))
  sealed[sealed.length - 1] = (sealed[sealed.length - 1] ?? 0) ^ 1
  const { status } = spawnSync('age', ['-d', '-i', fileOf('flip.txt', identity)], { input: sealed })
  assert.is(status, 1)
})

test.run()
