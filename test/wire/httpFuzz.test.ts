import { once } from 'node:events'
import { connect } from 'node:tls'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startAdmin } from '../../src/http/admin.ts'
import { certificate } from '../../src/tls/selfSigned.ts'
import { anyRequest, mustAnswer } from '../support/anyRequest.ts'
import { checkedApp, operationsOf } from '../support/checkedApp.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { doubles, mailboxId, token } from './httpDoubles.ts'

const test = suite('http fuzz')
const world = doubles()
const app = await checkedApp(world.api)
world.mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
const messageId = world.messageExists()
test.after(async () => {
  await app.close()
  world.close()
})

/** Streams without an end are for their own test. */
const operations = operationsOf(app).filter(({ path }) => path !== '/v1/live')

for (const operation of operations)
  test(`${operation.method} ${operation.path} answers whatever it is asked with what its document says, and never 5xx`, () =>
    fc.assert(
      fc.asyncProperty(anyRequest(mailboxId, messageId), (request) => mustAnswer(app, operation, { request, token })),
      { numRuns: 40 },
    ))

test('what is no HTTP, or too much of it, is answered 4xx with a problem document, and the connection ends', async () => {
  const clock = { now: () => new Date() }
  const tls = await certificate({ keys: memoryKeys().keys, domain: 'localhost', clock, addresses: [] })
  const admin = await startAdmin({ api: world.api, host: '127.0.0.1', port: 0, certificate: tls })
  const answerTo = async (octets: string) => {
    const port = admin.address?.port ?? 0
    const socket = connect({ host: '127.0.0.1', port, ca: tls.cert, checkServerIdentity: () => undefined })
    socket.on('error', () => undefined)
    await once(socket, 'secureConnect')
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    socket.write(octets)
    // Whoever sends on and on may be reset, once the answer is there.
    await new Promise((resolve) => socket.once('close', resolve))
    return text
  }
  const cases = [
    'nonsense\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
    'POST /v1/mailboxes HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n',
  ]
  for (const octets of cases) {
    const text = await answerTo(octets)
    assert.match(text, /^HTTP\/1\.1 4\d\d /, octets.slice(0, 60))
    assert.match(text, /content-type: application\/problem\+json/i, octets.slice(0, 60))
  }
  await admin.close()
})

test.run()
