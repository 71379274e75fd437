import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { spending, spent } from '../../src/spent.ts'
import { cutPieces } from '../../src/storage/octets.ts'

const test = suite('pieces')

async function* each(chunks: readonly Uint8Array[]) {
  await Promise.resolve()
  yield* chunks
}
const piecesOf = (chunks: readonly Uint8Array[], enough: () => number) =>
  Array.fromAsync(cutPieces(spending(each(chunks)), enough))

test('hold what the chunks held, in any segmentation and of any size, although each chunk is gone when the next is asked for', async () => {
  const chunk = fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.concat(Array<Uint8Array>(200).fill(octets)))
  const sizes = fc.array(fc.integer({ min: 1000, max: 50_000 }), { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 12 }), sizes, async (chunks, wanted) => {
      const whole = Buffer.concat(chunks)
      let asked = 0
      const most: number[] = []
      const pieces = await piecesOf(
        chunks.map((one) => Uint8Array.from(one)),
        () => {
          const size = wanted[asked++ % wanted.length] ?? 1000
          most.push(size)
          return size
        },
      )
      assert.ok(Buffer.concat(pieces.map(({ bytes }) => bytes)).equals(whole))
      assert.equal(
        pieces.map(({ done }) => done),
        pieces.map((_, index) => index === pieces.length - 1),
      )
      for (const [index, { bytes, done }] of pieces.entries())
        assert.ok(done ? bytes.length <= (most[index] ?? 0) : bytes.length === most[index])
    }),
    { numRuns: 100 },
  )
})

test('of nothing are one, which is empty', async () => {
  assert.equal(
    (await piecesOf([], () => 1000)).map(({ bytes, done }) => [bytes.length, done]),
    [[0, true]],
  )
})

test('octets that are spent are gone, unless others lie in the same buffer', () => {
  const [alone, shared] = [new Uint8Array(64 * 1024), new Uint8Array(64 * 1024).fill(7)]
  spent(alone)
  assert.is(alone.buffer.detached, true)
  spent(shared.subarray(1))
  spent(shared.subarray(0, 65_535))
  assert.ok(shared.every((octet) => octet === 7))
})

test.run()
