import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { sealBytes, startOpening, startSealing } from '../../src/seal/age.ts'
import type { Transform } from '../../src/seal/file.ts'
import { headerEnd } from '../../src/seal/header.ts'
import { anyPlaintext, anySizes, bytesOf, codeOf, cut, newPair, run } from './sealDriver.ts'

const test = suite('sealing and opening')

const { identity, recipient } = await newPair()
const stranger = await newPair()

const chunk = 64 * 1024
const sealedChunk = chunk + 16
const startOfPayload = (sealed: Uint8Array) => (headerEnd(sealed) ?? 0) + 16
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0

test('any bytes, in any chunking, come back as they were', () => {
  const property = fc.property(anyPlaintext, anySizes, anySizes, (plaintext, sealSizes, openSizes) => {
    const sealed = run(startSealing([recipient]), cut(plaintext, sealSizes))
    const opened = run(startOpening([identity]), cut(sealed.released, openSizes))
    assert.is(opened.fault, undefined)
    assert.ok(isSame(opened.released, plaintext))
  })
  fc.assert(property, { numRuns: 60 })
})

test('bytes that arrive one by one come back as they were', () => {
  const plaintext = bytesOf(500, 1)
  const sealed = run(startSealing([recipient]), cut(plaintext, [1]))
  const opened = run(startOpening([identity]), cut(sealed.released, [1]))
  assert.equal(opened, { released: plaintext, fault: undefined })
})

test('a caller may use its memory again after each call', () => {
  const plaintext = bytesOf(3 * chunk + 5, 2)
  const wiped = function* (bytes: Uint8Array) {
    for (const piece of cut(bytes, [1000, 70_000])) {
      const copy = Uint8Array.from(piece)
      yield copy
      copy.fill(0)
    }
  }
  const sealed = run(startSealing([recipient]), wiped(plaintext))
  assert.ok(isSame(run(startOpening([identity]), wiped(sealed.released)).released, plaintext))
})

test('each of several recipients opens alone, and a stranger is told that it is not theirs', () => {
  const plaintext = bytesOf(1000, 3)
  const sealed = sealBytes([recipient, stranger.recipient], plaintext)
  for (const one of [identity, stranger.identity])
    assert.ok(isSame(run(startOpening([one]), [sealed]).released, plaintext))
  const ours = sealBytes([recipient], plaintext)
  assert.equal(run(startOpening([stranger.identity]), [ours]), {
    released: Buffer.alloc(0),
    fault: 'no-identity-matched',
  })
  assert.is(run(startOpening([stranger.identity, identity]), [ours]).fault, undefined)
})

test('sealing to nobody is refused', () => {
  assert.throws(() => startSealing([]))
})

test('the same bytes are never sealed to the same octets', () => {
  const plaintext = bytesOf(100, 4)
  assert.not.ok(isSame(sealBytes([recipient], plaintext), sealBytes([recipient], plaintext)))
})

test('any flipped bit is detected before the plaintext of its chunk is released', () => {
  const property = fc.property(anyPlaintext, anySizes, fc.nat(), fc.nat(7), (plaintext, sizes, place, bit) => {
    const sealed = Buffer.from(sealBytes([recipient], plaintext))
    const at = place % sealed.length
    sealed[at] = (sealed[at] ?? 0) ^ (1 << bit)
    const { released, fault } = run(startOpening([identity]), cut(sealed, sizes))
    assert.ok(fault)
    const start = startOfPayload(sealBytes([recipient], plaintext))
    const intact = at < start ? 0 : Math.floor((at - start) / sealedChunk) * chunk
    assert.ok(
      isSame(released, plaintext.subarray(0, intact)),
      `${fault}: ${released.length} released, ${intact} intact`,
    )
  })
  fc.assert(property, { numRuns: 150 })
})

test('every bit of a header counts', () => {
  const sealed = Buffer.from(sealBytes([recipient], bytesOf(10, 5)))
  for (let at = 0; at < startOfPayload(sealed) * 8; at += 1) {
    const changed = Buffer.from(sealed)
    changed[at >> 3] = (changed[at >> 3] ?? 0) ^ (1 << (at & 7))
    const { released, fault } = run(startOpening([identity]), [changed])
    assert.is(released.length, 0)
    assert.ok(fault, `bit ${at}`)
  }
})

test('a file cut short anywhere fails at its end, and releases only whole chunks', () => {
  const property = fc.property(anyPlaintext, anySizes, fc.nat(), (plaintext, sizes, place) => {
    const sealed = sealBytes([recipient], plaintext)
    const { released, fault } = run(startOpening([identity]), cut(sealed.subarray(0, place % sealed.length), sizes))
    assert.ok(fault)
    assert.is(released.length % chunk, 0)
    assert.ok(isSame(released, plaintext.subarray(0, released.length)))
  })
  fc.assert(property, { numRuns: 60 })
})

test('a file cut between two chunks is said to be truncated', () => {
  const sealed = sealBytes([recipient], bytesOf(2 * chunk, 6))
  const cutAt = (length: number) => run(startOpening([identity]), [sealed.subarray(0, length)]).fault
  const start = startOfPayload(sealed)
  assert.is(cutAt(start - 17), 'header-truncated')
  assert.is(cutAt(start - 1), 'header-truncated')
  assert.is(cutAt(start), 'payload-truncated')
  assert.is(cutAt(start + sealedChunk), 'payload-truncated')
  assert.is(cutAt(start + sealedChunk + 1), 'payload-truncated')
})

test('chunks that changed places, came twice or from another file are refused', () => {
  const sealed = sealBytes([recipient], bytesOf(3 * chunk, 7))
  const other = sealBytes([recipient], bytesOf(3 * chunk, 7))
  const start = startOfPayload(sealed)
  const part = (bytes: Uint8Array, index: number) =>
    bytes.subarray(start + index * sealedChunk, start + (index + 1) * sealedChunk)
  const head = sealed.subarray(0, start)
  const swapped = [head, part(sealed, 1), part(sealed, 0), part(sealed, 2)]
  const twice = [head, part(sealed, 0), part(sealed, 0), part(sealed, 2)]
  const mixed = [head, part(sealed, 0), part(other, 1), part(sealed, 2)]
  const after = [head, part(sealed, 0), part(sealed, 1), part(sealed, 2), Buffer.from('x')]
  const releasedOf = (pieces: Uint8Array[]) => {
    const { released, fault } = run(startOpening([identity]), [Buffer.concat(pieces)])
    assert.is(fault, 'payload-corrupt')
    return released.length / chunk
  }
  assert.equal([swapped, twice, mixed, after].map(releasedOf), [0, 1, 1, 3])
})

test('a failed opening stays failed', () => {
  const sealed = Buffer.from(sealBytes([recipient], bytesOf(2 * chunk, 8)))
  const intact = Buffer.from(sealed)
  const at = startOfPayload(sealed) + sealedChunk
  sealed[at] = (sealed[at] ?? 0) ^ 1
  const opening = startOpening([identity])
  assert.is(Buffer.concat(opening.update(sealed)).length, chunk)
  for (const again of [() => opening.update(intact), () => opening.update(intact), () => opening.final()])
    try {
      again()
      assert.unreachable()
    } catch (error) {
      assert.is(codeOf(error), 'payload-corrupt')
    }
})

test('nothing can be sealed after the end', () => {
  const sealing = startSealing([recipient])
  sealing.final()
  assert.throws(() => sealing.update(bytesOf(1, 1)), 'the transform is over')
  assert.throws(() => sealing.final(), 'the transform is over')
})

const megabytes = 32
const collectGarbage = (() => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
})()
const heldMemory = () => {
  // Memory is given back in the background after a collection; the next collection waits for that.
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

/** Streams through a transform; the most octets it ever kept back, and the memory that it still held before its end. */
const streamThrough = (transform: Transform, pieces: Iterable<Uint8Array>) => {
  const before = heldMemory()
  let kept = 0
  let most = 0
  for (const piece of pieces) {
    kept += piece.length
    for (const out of transform.update(piece)) kept -= out.length
    most = Math.max(most, kept)
  }
  const held = heldMemory() - before
  transform.final()
  return { most, held }
}

function* repeated(piece: Uint8Array, times: number) {
  for (let turn = 0; turn < times; turn += 1) yield piece
}

test('sealing keeps back at most one chunk, and no memory of what went by', () => {
  const pieces = repeated(bytesOf(chunk / 4, 9), megabytes * 64)
  const { most, held } = streamThrough(startSealing([recipient]), pieces)
  assert.ok(most <= chunk, `${most} kept back`)
  assert.ok(held < 1_000_000, `${held} held`)
})

test('opening keeps back at most one chunk, and no memory of what went by', () => {
  // The sealed file is made while it is opened, so that nobody holds it whole.
  const sealedPieces = function* () {
    const sealing = startSealing([recipient])
    for (const piece of repeated(bytesOf(chunk / 4, 10), megabytes * 64)) yield* sealing.update(piece)
    yield* sealing.final()
  }
  const { most, held } = streamThrough(startOpening([identity]), sealedPieces())
  // Tags and the header go in and do not come out.
  const overhead = 300 + 16 * (megabytes * 16 + 1)
  assert.ok(most <= sealedChunk + overhead, `${most} kept back`)
  assert.ok(held < 1_000_000, `${held} held`)
})

test.run()
