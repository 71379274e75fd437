import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createArchive } from '../../src/archive.ts'
import { answerTo, type ErrorCode, GatewayError } from '../../src/core/errors.ts'
import { newMailboxId } from '../../src/core/ids.ts'
import type { EventLog, Vault } from '../../src/core/ports.ts'
import { createIdentity } from '../../src/keys/identities.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { bodyOf, namesOf, scratchParts } from '../support/scratchParts.ts'

/** The port, telling when each durable step is done. */
const told = (vault: Vault, steps: string[]): Vault => ({
  ...vault,
  create: async (key) => {
    const writer = await vault.create(key)
    const commit = async () => {
      await writer.commit()
      steps.push('object durable')
    }
    return { ...writer, commit }
  },
  remove: async (key) => {
    await vault.remove(key)
    steps.push('object removed')
  },
})

test('Invariant 1, vault before log: the events are appended only when the object is durable', async () => {
  const parts = await scratchParts()
  const steps: string[] = []
  const log: EventLog = {
    ...parts.log,
    append: (append) => {
      steps.push(`append ${append.events.map(({ type }) => type).join(', ')}`)
      return parts.log.append(append)
    },
  }
  const archive = createArchive({ ...parts, log, vault: told(parts.vault, steps) })
  await archive.receive(parts.delivery(), bodyOf('hello'))
  assert.equal(steps, ['object durable', 'append MessageReceived, MessageSealed'])
  await parts.close()
})

test('Invariant 1, keys before log: a key is durable when the facts that name it are known', async () => {
  const { keys, puts } = memoryKeys()
  const { identitySha256 } = await createIdentity(keys, { mailboxId: newMailboxId(), generation: 1 })
  assert.equal(
    [...puts.map((name) => name.replace(/mbx-[0-9a-f]+/, 'mbx')), `known ${identitySha256.length}`],
    ['mailboxes/mbx/1.age', 'known 64'],
  )
})

test('Invariant 2, log before acknowledge: the receipt waits for the append', async () => {
  const parts = await scratchParts()
  const gate = Promise.withResolvers<undefined>()
  const log: EventLog = {
    ...parts.log,
    append: async (append) => {
      await gate.promise
      return parts.log.append(append)
    },
  }
  const archive = createArchive({ ...parts, log })
  let acknowledged = false
  const receipt = archive.receive(parts.delivery(), bodyOf('hello')).then(() => (acknowledged = true))
  while ((await namesOf(parts.vault.list(''))).length === 0) await new Promise(setImmediate)
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.is(acknowledged, false)
  gate.resolve(undefined)
  await receipt
  await parts.close()
})

const failing = (log: EventLog, code: ErrorCode): EventLog => ({
  ...log,
  append: () => Promise.reject(new GatewayError(code)),
})

test('Invariant 2: when nobody knows whether the events were written, the object stays and nothing is acknowledged', async () => {
  const parts = await scratchParts()
  for (const [index, code] of (['outcome-unknown', 'storage-failed', 'internal'] as const).entries()) {
    const archive = createArchive({ ...parts, log: failing(parts.log, code) })
    const outcome = await archive.receive(parts.delivery(), bodyOf('hello')).catch((error: unknown) => error)
    assert.is((outcome as GatewayError).code, code)
    assert.is((await namesOf(parts.vault.list(''))).length, index + 1, code)
  }
  await parts.close()
})

test('an append that was certainly not written leaves no object', async () => {
  const parts = await scratchParts()
  for (const code of ['not-written', 'storage-full'] as const) {
    const archive = createArchive({ ...parts, log: failing(parts.log, code) })
    const outcome = await archive.receive(parts.delivery(), bodyOf('hello')).catch((error: unknown) => error)
    assert.is((outcome as GatewayError).code, code)
  }
  assert.equal(await namesOf(parts.vault.list('')), [])
  await parts.close()
})

test('a body that breaks off leaves neither object nor event', async () => {
  const parts = await scratchParts()
  const archive = createArchive(parts)
  const breaking = async function* (size: number) {
    await Promise.resolve()
    yield Buffer.alloc(size)
    throw new GatewayError('connection-lost')
  }
  for (const size of [10, 1 << 20]) {
    const outcome = await archive.receive(parts.delivery(), breaking(size)).catch((error: unknown) => error)
    assert.is((outcome as GatewayError).code, 'connection-lost')
  }
  assert.equal(await namesOf(parts.vault.list('')), [])
  assert.is(await parts.log.head(), '')
  await parts.close()
})

/** What only the sender can have done wrong: everything else must be 4xx, so that the sender keeps the message. */
const faultsOfTheSender: readonly ErrorCode[] = [
  'mailbox-unknown',
  'message-unknown',
  'message-too-large',
  'request-invalid',
  'password-wrong',
  'not-authorized',
]

test("Invariant 6, 4xx unless it is provably the sender's fault: the error table says 5xx only for those", () => {
  const codes: readonly ErrorCode[] = [
    ...faultsOfTheSender,
    'mailbox-suspended', 'mailbox-conflict', 'alias-taken', 'object-missing', 'object-corrupt', 'not-openable',
    'too-many-attempts', 'maildrop-in-use', 'storage-full', 'storage-failed', 'revision-conflict', 'not-written',
    'outcome-unknown', 'event-unreadable', 'views-behind', 'overloaded', 'shutting-down', 'connection-lost', 'start-refused', 'internal',
  ] // prettier-ignore
  for (const code of codes) {
    const [reply, enhanced] = answerTo(code).smtp
    const permanent = faultsOfTheSender.includes(code)
    assert.is(Math.floor(reply / 100), permanent ? 5 : 4, code)
    assert.is(enhanced[0], permanent ? '5' : '4', code)
  }
})

test.run()
