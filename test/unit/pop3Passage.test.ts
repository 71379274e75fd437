import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openPassage } from '../../src/proxy/pop3Passage.ts'

test('of a server that sends octet by octet little is held beside the octets', async () => {
  const written: Uint8Array[] = []
  const passage = openPassage(
    { write: (octets) => void written.push(octets), drained: () => Promise.resolve() },
    65_536,
  )
  const sent = Buffer.from(Array.from({ length: 10_000 }, (_, at) => at % 251))
  for (const octet of sent) await passage.push(Uint8Array.of(octet))
  passage.release()
  assert.equal(await passage.relayed, { status: 'ok', rest: false })
  passage.begin(Buffer.from('+OK\r\n'))
  assert.ok(written.length <= 130, `${written.length} pieces`)
  assert.equal(Buffer.concat(written), Buffer.concat([Buffer.from('+OK\r\n'), sent, Buffer.from('.\r\n')]))
})

test.run()
