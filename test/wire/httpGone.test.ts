import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startAdmin } from '../../src/http/admin.ts'
import { certificate } from '../../src/tls/selfSigned.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { until } from '../support/until.ts'
import { doubles } from './httpDoubles.ts'

const test = suite('http gone')
const world = doubles()
const clock = { now: () => new Date() }
const tls = await certificate({ keys: memoryKeys().keys, domain: 'localhost', clock, addresses: [] })
const { tokens } = world.access
const asked = Promise.withResolvers<undefined>()
const answered = Promise.withResolvers<undefined>()
const slowTokens = {
  ...tokens,
  whoHas: async (text: string) => {
    asked.resolve(undefined)
    await answered.promise
    return tokens.whoHas(text)
  },
}
const api = { ...world.api, access: { ...world.access, tokens: slowTokens } }
const admin = await startAdmin({ api, host: '127.0.0.1', port: 0, certificate: tls })
test.after(async () => {
  await admin.close()
  world.close()
})

test('who leaves before a made-up token is looked up is counted by the address, and is no failure of the gateway', async () => {
  const socket = connect({ host: '127.0.0.1', port: admin.address?.port ?? 0, ca: tls.cert, servername: 'localhost' })
  await once(socket, 'secureConnect')
  const shown = `sealpost_${'0'.repeat(16)}_${'a'.repeat(43)}`
  socket.write(`GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${shown}\r\n\r\n`)
  await asked.promise
  socket.destroy()
  // Until the gateway's end of the connection has gone too.
  await delay(100)
  answered.resolve(undefined)
  await until(() => world.calls.length > 0)
  assert.equal(world.calls, [['refused', '127.0.0.1', 'api-token']])
  assert.equal(world.said, [])
})

test.run()
