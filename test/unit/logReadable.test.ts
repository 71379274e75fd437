import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventId, newCommandId } from '../../src/core/ids.ts'
import { UnreadableEvent } from '../../src/core/unreadableEvent.ts'
import { readable } from '../../src/log/readable.ts'
import type { StoredEvent } from '../../src/log/storedEvent.ts'

type Vector = { readonly type: string; readonly data: object; readonly metadata: object }

const test = suite('log: reading stored events')

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

test('the failure tells programs which event it is', () => {
  try {
    readable(stored(example, { type: 'MessageForwarded' }))
    assert.unreachable()
  } catch (error) {
    assert.instance(error, UnreadableEvent)
    const event = { position: '0000000000000042', stream: 'gateway-a', revision: 0, type: 'MessageForwarded' }
    assert.equal((error as UnreadableEvent).event, event)
  }
})

test.run()
