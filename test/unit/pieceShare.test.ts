import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { pieceShare, pieceSize } from '../../src/storage/octets.ts'
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

test.run()
