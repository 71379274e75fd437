import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { newMailboxId } from '../../src/core/ids.ts'
import { startStorage } from '../../src/storage/storage.ts'
import { bodyOf, scratchParts } from '../support/scratchParts.ts'

const dir = mkdtempSync(join(tmpdir(), 'sealpost-storage-'))
for (const name of ['vault', 'keys']) mkdirSync(join(dir, name))
const storage = await startStorage({
  log: { engine: 'sqlite' as const, file: join(dir, 'events.db') },
  vault: { engine: 'packs', dir: join(dir, 'vault') },
  keysDir: join(dir, 'keys'),
  node: 'test',
})
const parts = await scratchParts()
const large = Buffer.alloc(900_000, 'large message ')

test.after(async () => {
  await storage.close()
  await parts.close()
  rmSync(dir, { recursive: true })
})

async function* breaking() {
  await Promise.resolve()
  yield large
  throw new GatewayError('message-too-large')
}
const codeOf = async (work: Promise<unknown>) => ((await work.catch((error: unknown) => error)) as GatewayError).code

test('a large body that breaks off fails as it broke off, and the storage thread goes on', async () => {
  assert.is(await codeOf(storage.archive.receive(parts.delivery(), breaking())), 'message-too-large')
  const receipt = await storage.archive.receive(parts.delivery(), bodyOf(large, large))
  assert.is(receipt.size, 2 * large.length)
})

test('a large message that the archive refuses before it reads the body is answered, and the storage thread goes on', async () => {
  const refused = { ...parts.delivery(), recipient: 'age1nonsense' }
  assert.is(await codeOf(storage.archive.receive(refused, bodyOf(large, large))), 'internal')
  const receipt = await storage.archive.receive(parts.delivery(), bodyOf('small'))
  assert.is(receipt.size, 5)
})

test('the body of a message that the archive refuses half-way is told that nobody wants the rest', async () => {
  let left = false
  async function* endless() {
    try {
      for (;;) yield await Promise.resolve(Buffer.from(large))
    } finally {
      left = true
    }
  }
  const refused = { ...parts.delivery(), recipient: 'age1nonsense' }
  assert.is(await codeOf(storage.archive.receive(refused, endless())), 'internal')
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(left)
})

test('a password for a mailbox that does not exist opens nothing', async () => {
  const { sessionId } = parts.delivery()
  const identity = await storage.createIdentity({ mailboxId: newMailboxId(), generation: 1 })
  assert.is(await storage.unlock(sessionId, undefined, { password: identity.password }), undefined)
})

test.run()
