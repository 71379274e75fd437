import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeHeader, headerEnd, headerLimit, parseHeader, type Stanza } from '../../src/seal/header.ts'
import { faultOf } from './sealDriver.ts'

const test = suite('age header')

const mac = new Uint8Array(32).fill(7)
const argument = fc.stringMatching(/^[\x21-\x7e]{1,20}$/)
const anyStanza: fc.Arbitrary<Stanza> = fc.record({
  args: fc.tuple(argument, argument, argument),
  body: fc.uint8Array({ maxLength: 200 }),
})
const anyHeader = fc.array(anyStanza, { minLength: 1, maxLength: 4 }).map((stanzas) => encodeHeader(stanzas, () => mac))

test('any stanzas come back from the header that was written of them', () => {
  const property = fc.property(fc.array(anyStanza, { minLength: 1, maxLength: 4 }), (stanzas) => {
    const header = parseHeader(encodeHeader(stanzas, () => mac))
    assert.equal(
      header.stanzas.map(({ args, body }) => [...args, ...body]),
      stanzas.map(({ args, body }) => [...args, ...body]),
    )
    assert.equal([...header.mac], [...mac])
  })
  fc.assert(property)
})

test('the MAC covers everything up to its dashes', () => {
  const property = fc.property(fc.array(anyStanza, { minLength: 1 }), (stanzas) => {
    let covered = ''
    const bytes = encodeHeader(stanzas, (seen) => ((covered = Buffer.from(seen).toString('latin1')), mac))
    assert.is(Buffer.from(parseHeader(bytes).covered).toString('latin1'), covered)
    assert.ok(covered.endsWith('\n---'))
  })
  fc.assert(property)
})

test('a header with any octet changed is refused, or is another header that is written back to the octet', () => {
  const property = fc.property(anyHeader, fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, place, by) => {
    const changed = Buffer.from(bytes)
    const at = place % changed.length
    changed[at] = (changed[at] ?? 0) ^ by
    let parsed
    if (faultOf(() => (parsed = parseHeader(changed))) === 'header-malformed') return
    const { stanzas, mac: found } = parsed as never as ReturnType<typeof parseHeader>
    assert.equal(Buffer.from(encodeHeader(stanzas, () => found)), changed)
  })
  fc.assert(property, { numRuns: 500 })
})

test('the end of a header is found at any cut, and not before it is there', () => {
  const property = fc.property(anyHeader, fc.nat(), (bytes, place) => {
    const file = Buffer.concat([bytes, Buffer.from('\n--- payload\n')])
    const at = place % file.length
    assert.is(headerEnd(file.subarray(0, at)), at < bytes.length ? undefined : bytes.length)
  })
  fc.assert(property)
})

test('what shows no end of a header within the limit is refused without reading on', () => {
  const endless = Buffer.alloc(headerLimit, 'x')
  assert.is(headerEnd(endless.subarray(1)), undefined)
  assert.is(
    faultOf(() => headerEnd(endless)),
    'header-malformed',
  )
})

test('a header without a stanza is refused', () => {
  const bytes = encodeHeader([], () => mac)
  assert.is(
    faultOf(() => parseHeader(bytes)),
    'header-malformed',
  )
})

test('a body that fills its last line is followed by an empty line', () => {
  const body = new Uint8Array(48)
  const text = Buffer.from(encodeHeader([{ args: ['a'], body }], () => mac)).toString()
  assert.ok(text.includes(`-> a\n${'A'.repeat(64)}\n\n---`))
  assert.equal(parseHeader(Buffer.from(text)).stanzas[0]?.body.length, 48)
})

test.run()
