import { createHmac } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Archive, Delivery, Receipt } from '../../src/archive.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { newMessageId, type Position } from '../../src/core/ids.ts'
import { type CopyParts, type Known, openCopy } from '../../src/proxy/pop3Copy.ts'
import type { Passage } from '../../src/proxy/pop3Passage.ts'
import { openSending } from '../../src/proxy/smtpSending.ts'
import { octetsInFlight } from '../../src/wire/flight.ts'
import { wholeMessage } from '../../src/wire/topCutter.ts'

const test = suite('copies in flight')

const key = Buffer.from('key')
const content = Buffer.from(`Subject: x\r\n\r\n${'x'.repeat(60)}\r\n`.repeat(10))
const delivery = { messageId: newMessageId() } as Delivery
const turns = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Takes nothing until it is opened; then everything. */
const slowArchive = () => {
  const gate = Promise.withResolvers<undefined>()
  const archive: Archive = {
    receive: async ({ messageId }, body): Promise<Receipt> => {
      await gate.promise
      let size = 0
      for await (const { length } of body) size += length
      return { messageId, size, wireSize: size, position: '1' as Position, content: undefined }
    },
  }
  return { archive, open: () => gate.resolve(undefined), fail: (error: unknown) => gate.reject(error) }
}

type Wish = Partial<Pick<CopyParts, 'least' | 'mostHeld' | 'known' | 'passage'>> & { readonly limit?: number }

/** A copy of a message that a server sends in pieces. */
const copying = ({ limit = 1e6, ...wish }: Wish = {}) => {
  const flight = octetsInFlight(() => limit)
  const { archive, open, fail } = slowArchive()
  const chunks: (Buffer | Error)[] = []
  let wake = () => {}
  const chunk = async (): Promise<Buffer> => {
    while (chunks.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    const [next = new Error('nothing came')] = chunks.splice(0, 1)
    return next instanceof Error ? Promise.reject(next) : next
  }
  const copy = openCopy({
    archive,
    delivery,
    remote: { chunk, giveBack: () => undefined } as never,
    passage: undefined,
    cut: wholeMessage,
    known: undefined,
    least: 0,
    mostHeld: 1e5,
    messageSize: 1e6,
    holdTimeout: 10,
    flight,
    ...wish,
  })
  const taken = copy.take()
  taken.catch(() => undefined)
  const comes = (piece: Buffer | Error) => {
    chunks.push(piece)
    wake()
    return turns()
  }
  return { flight, copy, taken, comes, open, fail, unread: () => chunks.length }
}

const end = Buffer.from('.\r\n')
const knownAs = (octets: Buffer): Known => ({
  content: createHmac('sha256', key).update(octets).digest('hex'),
  coming: createHmac('sha256', key),
})

for (const [title, mostHeld] of [
  ['held until it is known whether it is sealed', 1e5],
  ['sealed as it comes', 10],
] as const) {
  test(`of a POP3 copy that is ${title} what is in memory counts, until the archive has it`, async () => {
    const { flight, copy, taken, comes, open } = copying({ mostHeld })
    await comes(content)
    assert.is(flight.octets(), content.length)
    await comes(end)
    assert.equal([await taken, flight.octets()], ['whole', content.length])
    open()
    assert.is((await copy.hold()).size, content.length)
    assert.is(flight.octets(), 0)
  })

  test(`nothing counts any more of a POP3 copy that is ${title} and is not wanted, or breaks off, or cannot be sealed`, async () => {
    for (const [wish, last, outcome] of [
      [{ known: knownAs(content) }, end, 'same'],
      [{ least: 1e6 }, end, 'partial'],
      [{}, new GatewayError('proxy-lost'), 'proxy-lost'],
    ] as const) {
      const { flight, taken, comes } = copying({ mostHeld, ...wish })
      await comes(content)
      await comes(last)
      const became = await taken.catch((error: unknown) => (error as GatewayError).code)
      assert.equal([became, flight.octets()], [outcome, 0])
    }
    const { flight, copy, comes, fail } = copying({ mostHeld })
    await comes(content)
    await comes(end)
    fail(new GatewayError('storage-full'))
    await copy.hold().catch(() => undefined)
    assert.is(flight.octets(), 0)
  })
}

test('once half of the memory is taken no POP3 copy is held, however small', async () => {
  const { flight, taken, comes, open } = copying({ limit: 1.5 * content.length })
  open()
  await comes(content)
  assert.is(flight.octets(), 0)
  await comes(end)
  assert.is(await taken, 'whole')
})

test('a client that does not take its POP3 copy holds the server back, whatever the archive takes and the memory has', async () => {
  for (const limit of [1, 1e6]) {
    for (const mostHeld of [10, 1e5]) {
      let takes = () => {}
      const push = () => new Promise<void>((resolve) => (takes = resolve))
      const { comes, open, taken, unread } = copying({ limit, mostHeld, passage: { push } as unknown as Passage })
      open()
      for (let pieces = 0; pieces < 5; pieces++) await comes(content)
      assert.is(unread(), 4)
      takes()
      await turns()
      assert.is(unread(), 3)
      await comes(new GatewayError('proxy-lost'))
      while (unread() > 0) {
        takes()
        await turns()
      }
      assert.is(await taken.catch((error: unknown) => (error as GatewayError).code), 'proxy-lost')
    }
  }
})

test('of a message that a mail client sends what is in memory counts, until the archive has it or it is abandoned', async () => {
  for (const way of ['archived', 'abandoned', 'failed'] as const) {
    const flight = octetsInFlight(() => content.length)
    const { archive, open, fail } = slowArchive()
    const parts = { archive, flight, delivery, limit: 1e6, write: () => true, onRoom: () => undefined }
    const sending = openSending(parts)
    sending.durable.catch(() => undefined)
    assert.not.ok(sending.take([content]), 'the client is read no further while the memory is full')
    assert.is(flight.octets(), content.length)
    if (way === 'abandoned') sending.abandon()
    else if (way === 'failed') fail(new GatewayError('storage-full'))
    else {
      sending.end()
      open()
      await sending.durable
    }
    await turns()
    assert.is(flight.octets(), 0, way)
  }
})

test.run()
