import { once } from 'node:events'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { begun } from '../../src/http/octets.ts'

const test = suite('http octets')

test('a client that leaves before the first octet was read lets go of what is behind the stream', async () => {
  let letGo = false
  const chunks = async function* () {
    try {
      yield await Promise.resolve(Buffer.from('first'))
      yield Buffer.from('second')
    } finally {
      letGo = true
    }
  }
  const stream = await begun(chunks())
  stream.destroy()
  await once(stream, 'close')
  await new Promise(setImmediate)
  assert.is(letGo, true)
})

test.run()
