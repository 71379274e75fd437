import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { smtpRemote } from '../../src/proxy/smtpRemote.ts'
import { until } from '../support/until.ts'

const piece = Buffer.alloc(8 * 1024)
const KiB = 1024

for (const most of [16 * KiB, 256 * KiB])
  test(`a server that takes nothing of more than ${most / KiB} KiB has no room, and tells once it has taken them`, async () => {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'connection') as Promise<[Socket]>
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const [peer] = await accepted
    let rooms = 0
    const none = () => {}
    const dialled = {
      socket,
      address: '127.0.0.1',
      port: 0,
      secure: false,
      startTls: () => Promise.reject(new Error('not here')),
    }
    const remote = smtpRemote(dialled, most, {
      replied: none,
      nonsense: none,
      silent: none,
      room: () => (rooms += 1),
      closed: none,
    })
    while (remote.write(piece)) await new Promise((resolve) => setImmediate(resolve))
    assert.is(rooms, 0)
    assert.ok(socket.writableLength <= Math.max(most, socket.writableHighWaterMark) + piece.length)
    peer.resume()
    await until(() => rooms === 1)
    remote.destroy()
    peer.destroy()
    server.close()
  })

test.run()
