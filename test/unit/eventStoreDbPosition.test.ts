import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { GatewayError } from '../../src/core/errors.ts'
import { origin, type Position } from '../../src/core/ids.ts'
import { positionOf, storePositionOf } from '../../src/log/eventStoreDbPosition.ts'

const offset = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const place = fc.record({ commit: offset, prepare: offset })

test('commit and prepare both come back', () => {
  fc.assert(fc.property(place, (one) => assert.equal(storePositionOf(positionOf(one)), { ...one })))
  assert.is(storePositionOf(origin), 'start')
})

test('positions compare as their commits do, and where those are equal as their prepares', () => {
  const few = fc.record({ commit: fc.bigInt({ min: 0n, max: 12n }), prepare: fc.bigInt({ min: 0n, max: 12n }) })
  fc.assert(
    fc.property(fc.oneof(few, place), fc.oneof(few, place), (a, b) => {
      const later = a.commit === b.commit ? a.prepare > b.prepare : a.commit > b.commit
      assert.is(positionOf(a) > positionOf(b), later)
    }),
  )
  assert.ok(positionOf({ commit: 0n, prepare: 0n }) > origin)
})

test('a position of another kind of log is refused', () => {
  for (const other of ['0000000000000001', 'elsewhere', '1-1'])
    try {
      storePositionOf(other as Position)
      assert.unreachable()
    } catch (error) {
      assert.is((error as GatewayError).code, 'request-invalid')
    }
})

test.run()
