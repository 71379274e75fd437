import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { type Body, openBody } from '../../src/wire/body.ts'

const piece = (size: number) => new Uint8Array(size)
const read = async (body: Body) => {
  let octets = 0
  for await (const { length } of body) octets += length
  return octets
}
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof GatewayError ? error.code : String(error)),
  )

test('what is pushed is read, in order, until the end', async () => {
  const body = openBody(() => {})
  const reading = read(body)
  body.push(piece(3))
  await Promise.resolve()
  body.push(piece(4))
  body.end()
  assert.is(await reading, 7)
  assert.ok(body.taken)
  await body.over
})

test('a full body says so, and says once when there is room again', async () => {
  let rooms = 0
  const body = openBody(() => (rooms += 1))
  let pushed = 1
  while (body.push(piece(16 * 1024))) pushed += 1
  assert.is(pushed, 4)
  const chunks = body[Symbol.asyncIterator]()
  await chunks.next()
  assert.is(rooms, 0)
  for (let taken = 1; taken < pushed; taken += 1) await chunks.next()
  assert.is(rooms, 1)
})

test('after the end no room is announced: what comes next is not content', async () => {
  let rooms = 0
  const body = openBody(() => (rooms += 1))
  body.push(piece(512 * 1024))
  body.end()
  await read(body)
  assert.is(rooms, 0)
})

test('however small what comes is, little waits beside its octets', async () => {
  const body = openBody(() => {})
  const sent = Buffer.from(Array.from({ length: 10_000 }, (_, at) => at % 251))
  for (const octet of sent) body.push(Uint8Array.of(octet))
  body.end()
  const read: Uint8Array[] = []
  for await (const chunk of body) read.push(chunk)
  assert.ok(read.length <= 128, `${read.length} chunks`)
  assert.equal(Buffer.concat(read), sent)
})

test('a consumer that is gone makes room, and what still comes is dropped', async () => {
  let rooms = 0
  const body = openBody(() => (rooms += 1))
  assert.not(body.push(piece(512 * 1024)))
  body.discard()
  assert.is(rooms, 1)
  assert.ok(body.push(piece(512 * 1024)))
  body.end()
  await body.over
  assert.not(body.taken)
})

test('a refused body fails for its consumer, and is over only at the end of the data', async () => {
  const body = openBody(() => {})
  let over = false
  void body.over.then(() => (over = true))
  const failure = failureOf(read(body))
  body.push(piece(1))
  body.refuse(new GatewayError('message-too-large'))
  assert.is(await failure, 'message-too-large')
  assert.not(over)
  body.end()
  await body.over
  assert.not(body.taken)
})

test('a lost body fails for its consumer, even when content waits to be read', async () => {
  const body = openBody(() => {})
  body.push(piece(1))
  body.lose()
  assert.is(await failureOf(read(body)), 'connection-lost')
  await body.over
})

test('what had come to its end before the connection was lost is whole', async () => {
  const body = openBody(() => {})
  body.push(piece(5))
  body.end()
  body.lose()
  assert.is(await read(body), 5)
  assert.ok(body.taken)
})

test('a consumer that stops in the middle has not taken it', async () => {
  const body = openBody(() => {})
  body.push(piece(1))
  body.push(piece(1))
  body.end()
  const chunks = body[Symbol.asyncIterator]()
  await chunks.next()
  await chunks.return?.()
  assert.not(body.taken)
})

test.run()
