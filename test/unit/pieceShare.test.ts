import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cutPieces, pieceShare, pieceSize } from '../../src/storage/octets.ts'
import { settings } from '../../src/config/settings.ts'

const test = suite('what a message gathers')
const machine = { hostname: 'here', hasIpv6: false }
const limits = settings.limits

test('a few messages gather whole pieces, and many little each', () => {
  assert.equal([1, 16].map(pieceShare), [pieceSize, pieceSize])
  assert.ok(pieceShare(100) < pieceSize / 4)
})

test('as many as there may be connections, all standing still, leave room for others by default', () => {
  const all = Array.from({ length: limits.smtpSessions.default(machine) }, (_, index) => pieceShare(index + 1))
  const gathered = all.reduce((sum, octets) => sum + octets, 0)
  assert.ok(gathered < limits.bytesInFlight.default(machine), `${gathered}`)
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const heap = () => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

test('what stands still costs no more than its octets, however small the chunks are in which it came', async () => {
  const before = heap()
  const size = 100_000
  async function* crumbs() {
    await Promise.resolve()
    for (let at = 0; at < size; at++) yield Uint8Array.of(at % 251)
    assert.ok(heap() - before < 4 * 1024 * 1024, `${heap() - before} octets of heap`)
  }
  const { value } = await cutPieces(crumbs(), () => pieceSize).next()
  assert.ok(value?.bytes.every((octet, at) => octet === at % 251))
  assert.is(value?.bytes.length, size)
})

test.run()
