import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { lineReader } from '../../src/smtp/lineReader.ts'

const max = 8

/** Every line that the chunks bring; one that was too long as `undefined`. */
const readAll = (chunks: readonly string[]) => {
  const reader = lineReader(max)
  const lines: (string | undefined)[] = []
  for (const chunk of chunks.map((text) => Buffer.from(text, 'latin1')))
    for (let at = 0; ;) {
      const read = reader.read(chunk, at)
      if (read.is === 'partial' || read.is === 'endless') break
      lines.push(read.is === 'line' ? read.line.toString('latin1') : undefined)
      at = read.next
    }
  return lines
}

const oracle = (text: string) =>
  text
    .split('\r\n')
    .slice(0, -1)
    .map((line) => (line.length <= max ? line : undefined))

const text = fc
  .array(fc.constantFrom('\r\n', '\r', '\n', 'a', 'word', 'x'.repeat(12)), { maxLength: 40 })
  .map((parts) => parts.join(''))

test('lines end in CRLF and nothing else, whatever the segmentation', () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(200), { maxLength: 10 }), (whole, places) => {
      const cuts = [0, ...places.map((place) => place % (whole.length + 1)).sort((a, b) => a - b), whole.length]
      const chunks = cuts.slice(1).map((end, index) => whole.slice(cuts[index], end))
      assert.equal(readAll(chunks), oracle(whole))
    }),
    { numRuns: 2000 },
  )
})

test('one octet at a time', () => {
  fc.assert(fc.property(text, (whole) => assert.equal(readAll(whole.split('')), oracle(whole))))
})

test('a line that does not end is given up', () => {
  const reader = lineReader(max)
  const chunk = Buffer.alloc(64 * 1024, 'x')
  let chunks = 0
  while (reader.read(chunk, 0).is === 'partial') chunks += 1
  assert.is(chunks, 16)
})

test.run()
