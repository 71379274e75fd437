import { readdirSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventVersions } from '../../src/core/events.ts'
import { eventId, newCommandId } from '../../src/core/ids.ts'
import { readable } from '../../src/log/readable.ts'
import type { StoredEvent } from '../../src/log/storedEvent.ts'

type Vector = { readonly type: string; readonly data: object; readonly metadata: { readonly version: number } }

const test = suite('log: reading stored events')
const folder = new URL('../vectors/events/', import.meta.url)
const vectors = readdirSync(folder).map((name) => ({
  name,
  // The cast is what the tests below look into.
  vector: JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Vector,
}))

const stored = ({ type, data, metadata }: Vector, changes: Partial<StoredEvent> = {}): StoredEvent => ({
  position: 42,
  stream: 'gateway-a',
  revision: 0,
  id: eventId(newCommandId(), 0),
  type,
  data: JSON.stringify(data),
  metadata: JSON.stringify(metadata),
  recordedAt: '2025-07-10T12:00:00.000Z',
  ...changes,
})

const example: Vector = { type: 'GatewayStopped', data: { reason: 'test' }, metadata: { version: 1 } }
const unreadable = (event: StoredEvent, detail: RegExp) =>
  assert.throws(
    () => readable(event),
    (error: Error & { code?: string }) => error.code === 'event-unreadable' && detail.test(error.message),
  )

test('the oldest stored form of every event type is kept', () => {
  assert.equal(
    vectors.map(({ name }) => name).toSorted(),
    Object.keys(eventVersions)
      .map((type) => `${type}.json`)
      .toSorted(),
  )
  for (const { name, vector } of vectors) {
    assert.is(`${vector.type}.json`, name)
    assert.is(vector.metadata.version, 1)
  }
})

test('the oldest stored form of every event type still reads', () => {
  for (const { vector } of vectors) {
    const { type, data, metadata, position } = readable(stored(vector))
    assert.equal({ type, data, metadata, position }, { ...vector, position: '0000000000000042' })
  }
})

test('an event of an unknown type is unreadable, and the failure names position, type and version', () => {
  unreadable(stored(example, { type: 'MessageForwarded' }), /position 0{14}42, type MessageForwarded, version 1,/)
  unreadable(stored(example, { type: 'toString' }), /type toString/)
})

test('an event of a newer version, or of none that makes sense, is unreadable', () => {
  for (const version of [99, 0, 1.5, '1', null, undefined])
    unreadable(stored(example, { metadata: JSON.stringify({ version }) }), new RegExp(`version ${String(version)},`))
  unreadable(stored(example, { metadata: 'null' }), /version undefined/)
})

test('an event whose text is no JSON is unreadable', () => {
  unreadable(stored(example, { data: '{' }), /its data is not JSON/)
  unreadable(stored(example, { metadata: '{' }), /its metadata is not JSON/)
})

test.run()
