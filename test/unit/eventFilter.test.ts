import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isStreamName } from '../../src/core/eventFilter.ts'
import { newSenderId } from '../../src/core/ids.ts'
import { nodeStream, senderStream, streamCategories } from '../../src/core/streams.ts'

const test = suite('event filter')

test('the events of every kind of stream can be asked for', () => {
  for (const category of streamCategories) assert.ok(isStreamName(`${category}-x`), category)
  for (const name of [nodeStream('gw-1.example.com'), senderStream(newSenderId())]) assert.ok(isStreamName(name), name)
})

test('what is no name of a stream is none', () => {
  for (const text of [
    '',
    'node',
    'node-',
    'nodes-x',
    'x-node-x',
    'mailbox-a b',
    `alias-${'x'.repeat(201)}`,
    'node-x\n',
  ])
    assert.not.ok(isStreamName(text), text)
})

test.run()
