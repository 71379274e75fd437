import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { crlfLines } from '../../src/wire/crlfLines.ts'

/** The same said simply. */
const expected = (text: string) => text.replaceAll('\0', '').replaceAll(/\r\n|\r|\n/g, '\r\n')

const through = (pieces: readonly string[]) => {
  const lines = crlfLines()
  const out = pieces.map((piece) => Buffer.from(lines.push(Buffer.from(piece, 'latin1'))))
  return Buffer.concat([...out, lines.end()]).toString('latin1')
}

for (const [given, wanted] of [
  ['', ''],
  ['a\r\nb\r\n', 'a\r\nb\r\n'],
  ['a\nb\rc', 'a\r\nb\r\nc'],
  ['\n.\n', '\r\n.\r\n'],
  ['\r.\r', '\r\n.\r\n'],
  ['\r\r\n', '\r\n\r\n'],
  ['\n\r', '\r\n\r\n'],
  ['\r\n\0.\r\n', '\r\n.\r\n'],
  ['\r\0\n', '\r\n'],
  ['last\r', 'last\r\n'],
] as const)
  test(`${JSON.stringify(given)} becomes ${JSON.stringify(wanted)}`, () => assert.is(through([given]), wanted))

test('in whatever pieces a text comes, its line ends become CRLF and its NULs are left out', () =>
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('\r', '\n', '.', '\0', 'a', '\r\n', '\x0b', '\xff'), maxLength: 12 })),
      (pieces) => assert.is(through(pieces), expected(pieces.join(''))),
    ),
    { numRuns: 3000 },
  ))

test('what needs no change is passed as it is, without a copy', () => {
  const chunk = Buffer.from('Subject: x\r\n\r\n.text\r\n')
  assert.is(crlfLines().push(chunk), chunk)
})

test.run()
