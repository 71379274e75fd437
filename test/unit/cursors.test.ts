import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { cursorsUnder } from '../../src/http/cursors.ts'

const cursors = cursorsUnder(Buffer.alloc(32, 1))
const place = '0000000000000042'
const list = ['messages', 'mbx-1']

const isRefused = (cursor: string, of = list, by = cursors) =>
  assert.throws(
    () => by.take(cursor, of),
    (error: unknown) => error instanceof GatewayError && error.code === 'request-invalid',
    cursor,
  )

test('a cursor gives back its place to the same list under the same key, and to no other', () => {
  const cursor = cursors.give(place, list)
  assert.is(cursorsUnder(Buffer.alloc(32, 1)).take(cursor, list), place)
  isRefused(cursor, ['messages', 'mbx-2'])
  isRefused(cursor, list, cursorsUnder(Buffer.alloc(32, 2)))
})

test('a cursor begins with a letter, so that a command line takes it as a value', () => {
  for (let n = 0; n < 500; n++) assert.match(cursors.give(place, list), /^[A-Za-z]/)
})

test('a cursor does not show its place, nor whether it is the same as another one', () => {
  const [one, other] = [cursors.give(place, list), cursors.give(place, list)]
  assert.not.ok(Buffer.from(one, 'base64url').includes(place))
  assert.not.equal(one, other)
})

test('what is made up, cut off or changed in one bit is refused', () => {
  const cursor = Buffer.from(cursors.give(place, list), 'base64url')
  for (const made of ['', 'x', place, 'A'.repeat(43), '💥']) isRefused(made)
  for (let length = 0; length < cursor.length; length++) isRefused(cursor.subarray(0, length).toString('base64url'))
  for (let bit = 0; bit < cursor.length * 8; bit++) {
    const changed = Buffer.from(cursor)
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    isRefused(changed.toString('base64url'))
  }
})

test.run()
