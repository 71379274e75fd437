import { readdirSync, readFileSync } from 'node:fs'
import { Check } from 'typebox/schema'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type EventType, eventVersions } from '../../src/core/events.ts'
import { eventId, newCommandId } from '../../src/core/ids.ts'
import { upcast, type Upcasts, upcasts } from '../../src/core/upcasts.ts'
import { readable } from '../../src/log/readable.ts'
import { type Schema, schemasOfToday } from '../support/eventSchemas.ts'

// test/vectors/eventSchemas.json holds the shape of every version of every event that was ever published, and nothing
// in it is changed once it is there. test/vectors/events holds an event of each type as the first version wrote it.

const test = suite('versions of events')
const vectors = new URL('../vectors/', import.meta.url)
const json = (path: string): unknown => JSON.parse(readFileSync(new URL(path, vectors), 'utf8'))

type Published = {
  readonly metadata: Schema
  readonly events: Readonly<Record<string, Readonly<Record<string, Schema>>>>
}
const published = json('eventSchemas.json') as Published
const today = schemasOfToday()
const types = Object.keys(eventVersions) as EventType[]
const fileOf = (type: string, version: number) => (version === 1 ? `${type}.json` : `${type}.${version}.json`)

for (const type of types) {
  test(`${type} has the shape that was published as its current version`, () => {
    const version = eventVersions[type]
    assert.equal(
      today.events[type],
      published.events[type]?.[version],
      `${type} has changed. Raise its version in src/core/events.ts, write the upcast from the version before in ` +
        `src/core/upcasts.ts, and add to ${type} in test/vectors/eventSchemas.json:\n` +
        `"${version + (published.events[type]?.[version] ? 1 : 0)}": ${JSON.stringify(today.events[type])}`,
    )
  })
}

test('every version of every event has its schema, and every older one its upcast', () => {
  assert.equal(Object.keys(published.events).toSorted(), types.toSorted())
  for (const type of types) {
    const versions = Array.from({ length: eventVersions[type] }, (_, index) => String(index + 1))
    assert.equal(Object.keys(published.events[type] ?? {}), versions, `schemas of ${type}`)
    assert.is(upcasts[type]?.length ?? 0, versions.length - 1, `upcasts of ${type}`)
  }
})

test('metadata has the shape that was published: what older events lack must be optional', () => {
  assert.equal(today.metadata, published.metadata)
})

type Vector = { readonly type: EventType; readonly data: unknown; readonly metadata: { readonly version: number } }
const vector = (name: string) => json(`events/${name}`) as Vector

test('an event is kept as each version wrote it', () => {
  const wanted = types.flatMap((type) =>
    Object.keys(published.events[type] ?? {}).map((version) => fileOf(type, Number(version))),
  )
  assert.equal(readdirSync(new URL('events/', vectors)).toSorted(), wanted.toSorted())
  for (const name of wanted) {
    const { type, data, metadata } = vector(name)
    assert.ok(Check(published.events[type]?.[metadata.version] ?? false, data), `${name} is of its version's schema`)
    assert.ok(Check(published.metadata, metadata), `the metadata of ${name}`)
  }
})

test('every event that was ever stored is read as one of today', () => {
  for (const name of readdirSync(new URL('events/', vectors))) {
    const { type, data, metadata } = vector(name)
    const event = readable({
      position: 1,
      stream: 'gateway-a',
      revision: 0,
      id: eventId(newCommandId(), 0),
      type,
      data: JSON.stringify(data),
      metadata: JSON.stringify(metadata),
      recordedAt: '2025-07-10T12:00:00.000Z',
    })
    assert.ok(Check(today.events[type] ?? false, event.data), `${name} is of today's schema`)
    assert.is(event.metadata.version, eventVersions[type])
  }
})

test('upcasts follow one another from the version that was stored, and today’s version is left alone', () => {
  const steps: Upcasts = {
    GatewayStopped: [
      ({ why }: { readonly why: string }) => ({ reason: why }),
      (older: { readonly reason: string }) => ({ ...older, clean: true }),
    ],
  }
  const read = (version: number, data: object) => upcast('GatewayStopped', version, data, steps)
  assert.equal(read(1, { why: 'signal' }), { reason: 'signal', clean: true })
  assert.equal(read(2, { reason: 'signal' }), { reason: 'signal', clean: true })
  assert.equal(read(3, { reason: 'signal', clean: false }), { reason: 'signal', clean: false })
  assert.equal(upcast('GatewayStarted', 1, { configSha256: '' }, steps), { configSha256: '' })
})

test.run()
