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

test.run()
