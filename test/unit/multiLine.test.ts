import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { multiLineReply } from '../../src/wire/multiLine.ts'

/** The same octets in pieces that are cut where it says. */
const inPieces = (octets: Buffer, cuts: readonly number[]) => {
  const places = [...new Set(cuts.map((cut) => cut % (octets.length + 1)))].sort((a, b) => a - b)
  return [0, ...places]
    .map((from, at) => octets.subarray(from, places[at] ?? octets.length))
    .filter((piece) => piece.length > 0)
}

const read = (pieces: readonly Buffer[]) => {
  const reply = multiLineReply()
  const [wire, content]: [Uint8Array[], Uint8Array[]] = [[], []]
  for (const [at, piece] of pieces.entries()) {
    const got = reply.push(piece)
    wire.push(...got.wire)
    content.push(...got.content)
    if (got.rest !== undefined)
      return { wire: text(wire), content: text(content), rest: text([got.rest, ...pieces.slice(at + 1)]) }
    assert.not.match(text(wire), /\r\n\.\r?$/, 'a dot was let go that may be the end')
  }
  return { wire: text(wire), content: text(content), rest: undefined }
}
const text = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString('latin1')

const scrap = fc.constantFrom('\r\n', '\n', '\r', '.', '..', 'a', 'some text', '\r\n.', '\r\n..', '\n.\n', '\r\n.\r')
const message = fc.array(scrap, { maxLength: 30 }).map((scraps) => `${scraps.join('')}\r\n`)

test('however a reply is cut into pieces, it is passed octet for octet but its end, and its content is unstuffed', () =>
  fc.assert(
    fc.property(message, fc.array(fc.nat()), fc.constantFrom('', '+OK next\r\n'), (content, cuts, next) => {
      const stuffed = (content.startsWith('.') ? '.' : '') + content.replaceAll('\r\n.', '\r\n..')
      const found = read(inPieces(Buffer.from(`${stuffed}.\r\n${next}`, 'latin1'), cuts))
      assert.equal(found, { wire: stuffed, content, rest: next })
    }),
    { numRuns: 3000 },
  ))

test('a reply without lines is its end alone', () => {
  assert.equal(read([Buffer.from('.\r\n')]), { wire: '', content: '', rest: '' })
  assert.equal(read([Buffer.from('.'), Buffer.from('\r'), Buffer.from('\nx')]), { wire: '', content: '', rest: 'x' })
})

test('while a reply has not ended nothing of what may be its end is let go', () => {
  assert.equal(read([Buffer.from('a\r\n.'), Buffer.from('\r')]), { wire: 'a\r\n', content: 'a\r\n', rest: undefined })
  assert.equal(read([Buffer.from('a\r\n.'), Buffer.from('\rb')]).wire, 'a\r\n.\rb')
})

test.run()
