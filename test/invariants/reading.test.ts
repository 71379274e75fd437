import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createArchive } from '../../src/archive.ts'
import { GatewayError } from '../../src/core/errors.ts'
import type { Cause, Recorded } from '../../src/core/events.ts'
import { newCommandId, newMessageId, newSessionId, vaultKey } from '../../src/core/ids.ts'
import type { EventLog } from '../../src/core/ports.ts'
import { messageStream } from '../../src/core/streams.ts'
import { createRetrieve, type Retrieval } from '../../src/retrieve.ts'
import { generateIdentity, parseIdentity } from '../../src/seal/x25519.ts'
import { bodyOf, collect, scratchParts } from '../support/scratchParts.ts'

const large = Buffer.alloc(700_000, 'large message ')
const sessionId = newSessionId()
const cause: Cause = { principal: 'peer:192.0.2.1', correlationId: sessionId, causationId: sessionId }

type Parts = Awaited<ReturnType<typeof scratchParts>>

const received = async (parts: Parts, body: string | Uint8Array): Promise<Retrieval> => {
  const delivery = parts.delivery('Trace: yes\r\n')
  await createArchive(parts).receive(delivery, bodyOf(body))
  const events = await parts.log.readStream(messageStream(delivery.messageId), 0, 10)
  const sealed = events.find((event): event is Recorded<'MessageSealed'> => event.type === 'MessageSealed')
  if (!sealed) throw new Error('it was not sealed')
  return { message: sealed.data, sessionId, cause, identities: parts.identities }
}

const typesOf = async (parts: Parts, { message }: Retrieval) =>
  (await parts.log.readStream(messageStream(message.messageId), 2, 10)).map(({ type }) => type)

const codeOf = async (work: Promise<unknown>) => ((await work.catch((error: unknown) => error)) as GatewayError).code

test('a message comes out as it went in, behind its trace', async () => {
  const parts = await scratchParts()
  for (const body of ['', 'a\r\n', large]) {
    const retrieval = await received(parts, body)
    const plaintext = await collect(createRetrieve(parts)(retrieval))
    assert.ok(plaintext.equals(Buffer.concat([Buffer.from('Trace: yes\r\n'), Buffer.from(body as string)])))
    assert.equal(await typesOf(parts, retrieval), ['MessageRetrieved'])
  }
  await parts.close()
})

for (const [size, body] of [
  ['small', 'secret'],
  ['large', large],
] as const)
  test(`Invariant 3, recorded before released: the end of a ${size} message waits until MessageRetrieved is durable`, async () => {
    const parts = await scratchParts()
    const retrieval = await received(parts, body)
    const gate = Promise.withResolvers<undefined>()
    const asked = Promise.withResolvers<undefined>()
    const log: EventLog = {
      ...parts.log,
      append: async (append) => {
        asked.resolve(undefined)
        await gate.promise
        return parts.log.append(append)
      },
    }
    let released = 0
    let ended = false
    const reading = (async () => {
      for await (const chunk of createRetrieve({ ...parts, log })(retrieval)) released += chunk.byteLength
      ended = true
    })()
    await asked.promise
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.is(ended, false)
    assert.ok(released < body.length, 'the last chunk is held back')
    if (size === 'small') assert.is(released, 0, 'nothing of a small message is released')
    gate.resolve(undefined)
    await reading
    await parts.close()
  })

test('Invariant 3: when MessageRetrieved cannot be written, the end is never reached', async () => {
  const parts = await scratchParts()
  const retrieval = await received(parts, 'secret')
  const log: EventLog = { ...parts.log, append: () => Promise.reject(new GatewayError('not-written')) }
  assert.is(await codeOf(collect(createRetrieve({ ...parts, log })(retrieval))), 'not-written')
  await parts.close()
})

test('an object that is missing is refused and recorded', async () => {
  const parts = await scratchParts()
  const retrieval = await received(parts, 'secret')
  await parts.vault.remove(retrieval.message.object)
  assert.is(await codeOf(collect(createRetrieve(parts)(retrieval))), 'object-missing')
  assert.equal(await typesOf(parts, retrieval), ['MessageUnreadable'])
  await parts.close()
})

test('of a message that was destroyed that is said, and nothing is recorded', async () => {
  const parts = await scratchParts()
  const retrieval = await received(parts, 'secret')
  const { messageId, mailboxId } = retrieval.message
  await parts.vault.remove(retrieval.message.object)
  const events = [parts.stamp({ type: 'MessagePurged', data: { messageId, mailboxId } }, cause)]
  await parts.log.append({ stream: messageStream(messageId), expected: 'any', commandId: newCommandId(), events })
  assert.is(await codeOf(collect(createRetrieve(parts)(retrieval))), 'message-purged')
  assert.equal(await typesOf(parts, retrieval), ['MessagePurged'])
  await parts.close()
})

/** Puts another object under the message's key. */
const replaced = async (parts: Parts, { message }: Retrieval, change: (sealed: Buffer) => Uint8Array) => {
  const sealed = await collect(parts.vault.open(message.object))
  await parts.vault.remove(message.object)
  const writer = await parts.vault.create(message.object)
  await writer.write(change(sealed))
  await writer.commit()
}

for (const [size, body] of [
  ['small', 'secret'],
  ['large', large],
] as const) {
  test(`a ${size} object with one bit changed anywhere is found out before its end`, async () => {
    const parts = await scratchParts()
    for (const place of [0, 0.3, 0.5, 0.9, 1]) {
      const retrieval = await received(parts, body)
      await replaced(parts, retrieval, (sealed) => {
        const at = Math.floor(place * (sealed.length - 1))
        sealed[at] = (sealed[at] ?? 0) ^ 1
        return sealed
      })
      assert.is(await codeOf(collect(createRetrieve(parts)(retrieval))), 'object-corrupt')
      assert.equal(await typesOf(parts, retrieval), ['MessageUnreadable'])
    }
    await parts.close()
  })

  test(`a ${size} object that was swapped for another, properly sealed one is found out by the digest`, async () => {
    const parts = await scratchParts()
    const retrieval = await received(parts, body)
    const forged = await received(parts, typeof body === 'string' ? 'forged' : Buffer.alloc(700_000, 'forged'))
    const other = await collect(parts.vault.open(forged.message.object))
    await replaced(parts, retrieval, () => other)
    assert.is(await codeOf(collect(createRetrieve(parts)(retrieval))), 'object-corrupt')
    await parts.close()
  })
}

test('an object cut short is found out', async () => {
  const parts = await scratchParts()
  const retrieval = await received(parts, large)
  await replaced(parts, retrieval, (sealed) => sealed.subarray(0, -70_000))
  assert.is(await codeOf(collect(createRetrieve(parts)(retrieval))), 'object-corrupt')
  await parts.close()
})

test('another key does not open it, and that is not called corruption', async () => {
  const parts = await scratchParts()
  const retrieval = await received(parts, 'secret')
  const stranger = parseIdentity((await generateIdentity()).identity)
  const attempt = createRetrieve(parts)({ ...retrieval, identities: [stranger] })
  assert.is(await codeOf(collect(attempt)), 'not-openable')
  assert.equal(await typesOf(parts, retrieval), [])
  await parts.close()
})

test('the key of an object is the day and the id of its message', () => {
  const id = newMessageId()
  assert.is(vaultKey(id), `${new Date().toISOString().slice(0, 10)}/${id}`)
})

test.run()
