import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { endSocket } from '../../src/wire/endSocket.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const server = createServer({ allowHalfOpen: true })
server.listen(0, '127.0.0.1')
await once(server, 'listening')
test.after(() => void server.close())

/** The two ends of a connection. */
const pair = async (): Promise<{ readonly ours: Socket; readonly peer: Socket }> => {
  const accepted = once(server, 'connection')
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [ours] = (await accepted) as [Socket]
  return { ours, peer }
}

test('the peer hears the last words, and a connection that it has closed is held by nothing', async () => {
  const end = async () => {
    const { ours, peer } = await pair()
    let heard = ''
    peer.setEncoding('utf8').on('data', (text: string) => (heard += text))
    endSocket(ours, 'bye\r\n')
    await once(ours, 'close')
    assert.is(heard, 'bye\r\n')
    return new WeakRef(ours)
  }
  const held = await end()
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  collectGarbage()
  assert.ok(held.deref() === undefined)
})

test('a connection that is closed already is held by nothing either', async () => {
  const end = async () => {
    const { ours, peer } = await pair()
    peer.destroy()
    ours.resume().destroy()
    await once(ours, 'close')
    endSocket(ours)
    return new WeakRef(ours)
  }
  const held = await end()
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  collectGarbage()
  assert.ok(held.deref() === undefined)
})

test.run()
