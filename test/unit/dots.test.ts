import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { wireEncoder, wireSizeCounter } from '../../src/wire/dots.ts'

/** Octets as latin1 text, so that the oracle can be plain regular expressions. */
const canonicalOf = (text: string) => {
  const lines = text.replace(/(?<!\r)\n/g, '\r\n')
  return lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`
}
const stuffed = (text: string) => canonicalOf(text).replace(/(^|\n)\./g, '$1..')

const cut = (text: string, cuts: readonly number[]) => {
  const places = [0, ...cuts.map((at) => at % (text.length + 1)), text.length].sort((a, b) => a - b)
  return places.slice(1).map((end, i) => Buffer.from(text.slice(places[i], end), 'latin1'))
}

const encoded = (text: string, cuts: readonly number[], canonical: boolean) => {
  const encoder = wireEncoder(canonical)
  const parts = cut(text, cuts).map((chunk) => encoder.encode(chunk))
  return Buffer.concat([...parts, encoder.end()]).toString('latin1')
}

const wireSize = (text: string, cuts: readonly number[]) => {
  const counter = wireSizeCounter()
  for (const chunk of cut(text, cuts)) counter.update(chunk)
  return counter.final()
}

/** Mostly the octets that matter, some lines longer than any shortcut's threshold, some octets of all kinds. */
const piece = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('\r', '\n', '.', '\r\n', '\r\n.', '\n.', 'a', '\0') },
  { weight: 1, arbitrary: fc.nat(700).map((n) => 'x'.repeat(n)) },
  { weight: 1, arbitrary: fc.nat(255).map((octet) => String.fromCharCode(octet)) },
)
const message = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''))
const cuts = fc.array(fc.nat(5000), { maxLength: 8 })

test('line ends become CRLF and dots are stuffed, however the message is cut', () => {
  fc.assert(
    fc.property(message, cuts, (text, at) => {
      assert.is(encoded(text, at, false), stuffed(text))
    }),
    { numRuns: 1000 },
  )
})

test('a message whose size is its wire size is encoded the same by the shortcut', () => {
  fc.assert(
    fc.property(message.map(canonicalOf), cuts, (text, at) => {
      assert.is(encoded(text, at, true), stuffed(text))
    }),
    { numRuns: 1000 },
  )
})

test('the shortcut ends every message with CRLF, even one that it was wrongly used for', () => {
  fc.assert(
    fc.property(message, cuts, (text, at) => {
      const wire = encoded(text, at, true)
      assert.ok(wire === '' || wire.endsWith('\r\n'))
      assert.not.match(wire, /\n\.\r\n/)
    }),
  )
})

test('the wire size is what is written, dots that were added not counted', () => {
  fc.assert(
    fc.property(message, cuts, (text, at) => {
      assert.is(wireSize(text, at), canonicalOf(text).length)
    }),
    { numRuns: 1000 },
  )
})

test('the wire size is the plain size exactly when nothing needs changing', () => {
  fc.assert(
    fc.property(message, (text) => {
      assert.is(wireSize(text, []) === text.length, canonicalOf(text) === text)
    }),
  )
})

test('a chunk of many blocks is encoded as a short one is', () => {
  const text = '..\n.\r\nx\n\r'.repeat(20_000)
  assert.ok(encoded(text, [], false) === stuffed(text))
  assert.ok(encoded(canonicalOf(text), [], true) === stuffed(text))
})

test('octets that need no change are handed on uncopied', () => {
  const chunk = Buffer.from('Subject: x\r\n\r\nno . at a line start\r\n')
  assert.is(wireEncoder(true).encode(chunk), chunk)
})

test.run()
