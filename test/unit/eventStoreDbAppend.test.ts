import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { appender, type AppenderParts } from '../../src/log/eventStoreDbAppend.ts'
import { StoreFailure } from '../../src/log/eventStoreDbFailure.ts'
import { appendOf, failure } from '../contract/eventLogContract.ts'

// Answers that the double of the protocol never gives.

const patience = { request: 50, append: 60, unsent: 30, pause: 10 }
const connection = { away: () => undefined, lost: () => undefined, reached: () => undefined }
const outcome = (client: AppenderParts['client']) =>
  failure(appender({ client, patience, connection }).append(appendOf('gateway-a', 'no-stream', [1])))

for (const kind of ['not-taken', 'refused', 'denied'] as const)
  test(`what the store has written is never called not written, though reading it back is ${kind}`, async () => {
    const append = () => Promise.resolve({ revision: 0, position: undefined })
    const readStream = () => Promise.reject(new StoreFailure(kind, new Error('no')))
    assert.is(await outcome({ append, readStream }), 'outcome-unknown')
  })

test('a wrong version of a stream that shows nothing is no conflict', async () => {
  let attempts = 0
  const append = () => Promise.reject(new StoreFailure(attempts++ === 0 ? 'unknown' : 'wrong-version', new Error('no')))
  assert.is(await outcome({ append, readStream: () => Promise.resolve([]) }), 'outcome-unknown')
})

test('a repeat that is refused before it is sent is not called not written, when the first attempt may have been', async () => {
  const append = () => Promise.reject(new StoreFailure('unknown', new Error('no')))
  const log = appender({ client: { append, readStream: () => Promise.resolve([]) }, patience, connection })
  const wanted = appendOf('gateway-a', 'no-stream', [1])
  assert.is(await failure(log.append(wanted)), 'outcome-unknown')
  await log.close()
  assert.is(await failure(log.append(wanted)), 'outcome-unknown')
  assert.is(await failure(log.append(appendOf('gateway-a', 'no-stream', [2]))), 'not-written')
})

test.run()
