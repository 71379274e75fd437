import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Archive, Delivery } from '../../src/archive.ts'
import { openSending } from '../../src/proxy/smtpSending.ts'
import { octetsInFlight } from '../../src/wire/flight.ts'

test('a message that comes octet by octet goes on in larger pieces, the last with its end', async () => {
  const [kept, written]: [Uint8Array[], Uint8Array[]] = [[], []]
  const receive = async (_delivery: Delivery, body: AsyncIterable<Uint8Array>) => {
    for await (const chunk of body) kept.push(chunk)
    return {}
  }
  const parts = {
    archive: { receive } as unknown as Archive,
    delivery: {} as Delivery,
    limit: 100_000,
    write: (octets: Uint8Array) => written.push(octets) > 0,
    onRoom: () => {},
    flight: octetsInFlight(() => Infinity),
  }
  const sending = openSending(parts)
  const content = Buffer.from('.a line\r\n'.repeat(1000))
  for (const octet of content) sending.take([Uint8Array.of(octet)])
  sending.end()
  await sending.durable
  assert.ok(written.length <= 10, `${written.length} writes`)
  sending.release()
  assert.equal(Buffer.concat(kept), content)
  assert.is(Buffer.concat(written).toString(), `${'..a line\r\n'.repeat(1000)}.\r\n`)
})

/** An archive that takes everything at once, a server that takes it when it is let, and a client that sends as long as it is read. */
const relaying = (memory: number) => {
  const receive = async (_delivery: Delivery, body: AsyncIterable<Uint8Array>) => {
    await Array.fromAsync(body)
    return {}
  }
  let [isRead, untaken] = [true, 0]
  const write = (octets: Uint8Array) => (untaken += octets.length) <= mostUntaken
  const sending = openSending({
    archive: { receive } as unknown as Archive,
    delivery: {} as Delivery,
    limit: 1e9,
    write,
    onRoom: () => (isRead = true),
    flight: octetsInFlight(() => memory),
  })
  sending.durable.catch(() => undefined)
  const send = async () => {
    for (let chunks = 0; isRead && chunks < 200; chunks++) {
      isRead = sending.take([chunk])
      await new Promise((resolve) => setImmediate(resolve))
    }
    return untaken
  }
  const serverTakes = () => {
    untaken = 0
    sending.serverRoom()
  }
  return { sending, send, serverTakes, isRead: () => isRead, hold: (room: boolean) => (isRead = room) }
}
const chunk = Buffer.from(`${'x'.repeat(16_382)}\r\n`)
const mostUntaken = 256 * 1024

for (const [title, memory] of [
  ['full', 0],
  ['not full', Infinity],
] as const) {
  test(`a server that takes nothing holds its client back, the memory being ${title}, and goes on when it takes`, async () => {
    const { send, serverTakes, isRead } = relaying(memory)
    for (let times = 0; times < 3; times++) {
      const untaken = await send()
      assert.ok(untaken <= mostUntaken + chunk.length, `${untaken} octets`)
      assert.not.ok(isRead())
      serverTakes()
      assert.ok(isRead())
    }
  })

  test(`what a client still sends of an abandoned message is read, the memory being ${title}`, async () => {
    const { sending, send } = relaying(memory)
    await send()
    sending.abandon()
    assert.ok(sending.take([chunk]))
  })
}

test('a client is not read while the archive has no room, whatever the server has', async () => {
  const { sending, serverTakes, isRead, hold } = relaying(0)
  hold(sending.take([chunk]))
  serverTakes()
  assert.not.ok(isRead())
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(isRead())
})

test.run()
