import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { lineReader } from '../../src/wire/lines.ts'

const reading = (...chunks: readonly string[]) => {
  const reader = lineReader()
  for (const chunk of chunks) reader.push(Buffer.from(chunk, 'latin1'))
  return reader
}
const taken = (line: ReturnType<ReturnType<typeof lineReader>['take']>) =>
  Buffer.isBuffer(line) ? line.toString('latin1') : line

test('the lines are the same however they arrive, and CRLF and bare LF both end one', () => {
  const text = fc
    .array(fc.constantFrom('\r', '\n', '\r\n', 'RETR 1', 'x'), { maxLength: 30 })
    .map((all) => all.join(''))
  fc.assert(
    fc.property(text, fc.array(fc.nat(200), { maxLength: 6 }), (input, cuts) => {
      const places = [0, ...cuts.map((at) => at % (input.length + 1)), input.length].sort((a, b) => a - b)
      const reader = lineReader()
      const lines: (string | undefined)[] = []
      for (const [i, end] of places.slice(1).entries()) {
        reader.push(Buffer.from(input.slice(places[i], end), 'latin1'))
        for (let line = taken(reader.take(1000)); line !== undefined; line = taken(reader.take(1000))) lines.push(line)
      }
      const expected = input.split('\n')
      const rest = expected.pop() ?? ''
      assert.equal(
        lines,
        expected.map((line) => line.replace(/\r$/, '')),
      )
      assert.is(reader.waiting(), rest.length)
    }),
  )
})

test('a line of exactly the limit is taken, one octet more is too long', () => {
  assert.is(taken(reading('abcd\r\n').take(6)), 'abcd')
  assert.is(reading('abcde\r\n').take(6), 'too-long')
})

test('a line without an end is too long as soon as it passes the limit', () => {
  assert.is(reading('abcdef').take(6), undefined)
  assert.is(reading('abcdef', 'g').take(6), 'too-long')
})

test('a line that was too long for one limit can be taken under a larger one', () => {
  const reader = reading('abcdef\r\nnext\r\n')
  assert.is(reader.take(6), 'too-long')
  assert.is(taken(reader.take(100)), 'abcdef')
  assert.is(taken(reader.take(6)), 'next')
})

test('what was cleared is never taken', () => {
  const reader = reading('STLS\r\nUSER injected\r\n')
  assert.is(taken(reader.take(255)), 'STLS')
  reader.clear()
  reader.push(Buffer.from('CAPA\r\n'))
  assert.is(taken(reader.take(255)), 'CAPA')
  assert.is(reader.take(255), undefined)
})

test.run()
