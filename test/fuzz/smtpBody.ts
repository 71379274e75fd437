import * as assert from 'uvu/assert'
import { crlfLines } from '../../src/wire/crlfLines.ts'
import { dataParser } from '../../src/wire/dataParser.ts'
import { wireEncoder, wireSizeCounter } from '../../src/wire/dots.ts'
import { multiLineReply } from '../../src/wire/multiLine.ts'
import { topCutter } from '../../src/wire/topCutter.ts'
import { bufferOf, piecesOf, type Segmented, segmented, spoilt, textOf } from './octets.ts'
import { content } from './smtpWords.ts'
import { target } from './target.ts'

/** Octets through something that takes them in pieces. */
const through = (input: Segmented, push: (piece: Buffer) => Uint8Array, end: () => Uint8Array) =>
  textOf(Buffer.concat([...piecesOf(input).map(bufferOf).map(push), end()]))
const nothing = () => new Uint8Array(0)

/** RFC 5321 §4.5.2 over the whole text: only CRLF.CRLF ends it. */
const endedBy = (wire: string) => {
  const end = wire.startsWith('.\r\n') ? 0 : wire.indexOf('\r\n.\r\n') + 2
  if (end === 1) return { content: undefined, rest: undefined }
  return { content: wire.slice(0, end).replace(/^\.|(?<=\r\n)\./g, ''), rest: wire.slice(end + 3) }
}

const parsed = (input: Segmented) => {
  const parser = dataParser()
  let content = ''
  const pieces = piecesOf(input)
  for (const [index, piece] of pieces.entries()) {
    const taken = parser.push(bufferOf(piece))
    content += taken.content.map(textOf).join('')
    if (taken.rest !== undefined) return { content, rest: textOf(taken.rest) + pieces.slice(index + 1).join('') }
  }
  return { content: undefined, rest: undefined }
}

const replied = (input: Segmented) => {
  const reply = multiLineReply()
  let [content, wire] = ['', '']
  for (const piece of piecesOf(input)) {
    const taken = reply.push(bufferOf(piece))
    content += taken.content.map(textOf).join('')
    wire += taken.wire.map(textOf).join('')
    if (taken.rest !== undefined) return { content, wire }
  }
  return undefined
}

const checkEnd = (input: Segmented) => {
  const wanted = endedBy(input.octets)
  assert.equal(parsed(input), wanted)
  const reply = replied(input)
  assert.is(reply?.content, wanted.content)
  if (reply) assert.is(`${reply.wire}.\r\n${wanted.rest ?? ''}`, input.octets)
}

/** RFC 1939 §3: what is written is read back, with its line ends made CRLF, and has the size that was counted. */
const checkWriting = (input: Segmented) => {
  const { octets } = input
  const encoder = wireEncoder(false)
  const wire = through(input, encoder.encode, encoder.end)
  const lines = octets.replaceAll(/(?<!\r)\n/g, '\r\n')
  const canonical = lines === '' || lines.endsWith('\n') ? lines : `${lines}\r\n`
  assert.equal(parsed({ octets: `${wire}.\r\n`, cuts: input.cuts }), { content: canonical, rest: '' })
  const counter = wireSizeCounter()
  for (const piece of piecesOf(input)) counter.update(bufferOf(piece))
  assert.is(counter.final(), canonical.length)
  const asIs = wireEncoder(true)
  assert.is(through({ ...input, octets: canonical }, asIs.encode, asIs.end), wire)
}

/** No server, however lenient, finds a line end, and so an end of the data, where this gateway has none. */
const checkLineEnds = (input: Segmented) => {
  const make = () => {
    const lines = crlfLines()
    return (given: Segmented) => through(given, lines.push, lines.end)
  }
  const made = make()(input)
  assert.not.match(made, /\0|(?<!\r)\n|\r(?!\n)/)
  assert.is(made, input.octets.replaceAll('\0', '').replaceAll(/\r\n|\r|\n/g, '\r\n'))
  assert.is(make()({ ...input, octets: made }), made)
}

const checkTop = (input: Segmented) => {
  for (const wanted of [0, 1, 3]) {
    const cutter = topCutter(wanted)
    const lines = input.octets.match(/[^\n]*\n|[^\n]+$/g) ?? []
    const header = lines.findIndex((line) => line === '\n' || line === '\r\n')
    const top = header < 0 ? input.octets : lines.slice(0, header + 1 + wanted).join('')
    assert.is(through(input, cutter, nothing), top)
  }
}

/** Contents of messages: where they end, and that nothing of them changes on the way but what has to. */
export const smtpBody = target<Segmented>((corpus) => ({
  inputs: segmented(spoilt(content(corpus.map(({ octets }) => octets)))),
  costs: 100,
  check: (input) => {
    checkEnd(input)
    checkEnd({ ...input, octets: `${input.octets}\r\n.\r\nQUIT\r\n` })
    checkWriting(input)
    checkLineEnds(input)
    checkTop(input)
  },
}))
