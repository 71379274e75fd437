import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { dataParser } from '../../src/wire/dataParser.ts'
import { smuggling } from '../support/smuggling.ts'

type Parsed = { readonly content: string; readonly rest: string | undefined }

/** The same rules in three lines over the whole text: the oracle. */
const oracle = (wire: string): Parsed => {
  const end = wire.startsWith('.\r\n') ? 0 : wire.indexOf('\r\n.\r\n') + 2
  if (end === 1) return { content: wire, rest: undefined }
  return { content: wire.slice(0, end).replace(/^\.|(?<=\r\n)\./g, ''), rest: wire.slice(end + 3) }
}

const parse = (chunks: readonly string[]): Parsed => {
  const parser = dataParser()
  const content: Uint8Array[] = []
  for (const [index, chunk] of chunks.entries()) {
    const piece = parser.push(Buffer.from(chunk, 'latin1'))
    content.push(...piece.content)
    if (piece.rest === undefined) continue
    const after = chunks.slice(index + 1).join('')
    return { content: latin1(content), rest: Buffer.from(piece.rest).toString('latin1') + after }
  }
  return { content: latin1(content), rest: undefined }
}
const latin1 = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString('latin1')

/** Cuts a text at the given places, whatever they are. */
const cut = (text: string, places: readonly number[]): string[] => {
  const sorted = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b)
  return [0, ...sorted].map((from, index) => text.slice(from, sorted[index] ?? text.length))
}

const critical = fc.array(fc.constantFrom('\r', '\n', '.', '\r\n', '\r\n.', '..', 'a', '\0', '\xff'), { maxLength: 60 })
const long = fc.array(fc.constantFrom('\r\n', '.', '\r\n..', 'word '.repeat(9), '..\r\n', '\r'), { maxLength: 400 })
const wire = fc.oneof(critical, critical, long).map((parts) => parts.join(''))

test('any octets in any segmentation are parsed as the oracle says', () => {
  fc.assert(
    fc.property(wire, fc.array(fc.nat(4000), { maxLength: 12 }), (text, places) => {
      const wanted = oracle(`${text}\r\n.\r\nQUIT\r\n`)
      assert.equal(parse(cut(`${text}\r\n.\r\nQUIT\r\n`, places)), wanted)
    }),
    { numRuns: 3000 },
  )
})

test('every octet on its own is parsed as the oracle says', () => {
  fc.assert(
    fc.property(critical, (parts) => {
      const text = `${parts.join('')}\r\n.\r\nrest`
      assert.equal(parse(text.split('')), oracle(text))
    }),
    { numRuns: 1000 },
  )
})

test('what was stuffed comes out as it was', () => {
  fc.assert(
    fc.property(wire, fc.array(fc.nat(4000), { maxLength: 6 }), (text, places) => {
      const body = `${text}\r\n`
      const stuffed = `${body.startsWith('.') ? '.' : ''}${body.replaceAll('\r\n.', '\r\n..')}.\r\n`
      assert.equal(parse(cut(stuffed, places)), { content: body, rest: '' })
    }),
    { numRuns: 2000 },
  )
})

test('a dot and CRLF right after the DATA command end an empty message', () => {
  assert.equal(parse(['.\r\nQUIT\r\n']), { content: '', rest: 'QUIT\r\n' })
  assert.equal(parse(['.', '\r', '\n', 'QUIT']), { content: '', rest: 'QUIT' })
})

test('a lone stuffed dot in a segment of its own does not end the data', () => {
  assert.equal(parse(['..', '\r\n', '.\r\n']), { content: '.\r\n', rest: '' })
  assert.equal(parse(['.', '.', '\r\n.\r\n']), { content: '.\r\n', rest: '' })
})

test('nothing but CRLF, a dot and CRLF ends the data, however it is segmented', () => {
  for (const end of smuggling) {
    const smuggled = `before${end}MAIL FROM:<evil@example.com>\r\n`
    for (const chunks of [[`${smuggled}.\r\n`], `${smuggled}.\r\n`.split('')]) {
      const { content, rest } = parse(chunks)
      assert.is(rest, '', JSON.stringify(end))
      assert.is(content, smuggled.replaceAll('\r\n.', '\r\n'), JSON.stringify(end))
    }
  }
})

test('a dot after a bare LF or a bare CR is content and stays', () => {
  assert.equal(parse(['a\n.b\r.c\r\n.\r\n']), { content: 'a\n.b\r.c\r\n', rest: '' })
})

test('a body of stuffed dots comes out in a few large pieces', () => {
  const { content } = dataParser().push(Buffer.alloc(64 * 1024, '..\r\n'))
  assert.ok(content.length < 20, `${content.length} pieces`)
  assert.is(Buffer.concat(content).length, 48 * 1024)
})

test('ordinary content is handed on as views of what came in', () => {
  const chunk = Buffer.from('Subject: x\r\n\r\nhello\r\n')
  const [piece] = dataParser().push(chunk).content
  assert.is(piece?.buffer, chunk.buffer)
})

test.run()
