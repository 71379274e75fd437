import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { type Admin, startAdmin } from '../../src/http/admin.ts'
import { certificate } from '../../src/tls/selfSigned.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { doubles, mailboxId, token } from './httpDoubles.ts'

const test = suite('http streams')
const world = doubles()
test.before.each(() => world.reset())
test.after(() => world.close())

const clock = { now: () => new Date() }
const tls = await certificate({ keys: memoryKeys().keys, domain: 'localhost', clock, addresses: [] })

type Given = { readonly sealed: () => AsyncIterable<Uint8Array> }

/** Runs the API on a socket of its own over what it reads from the vault. */
const serving = async ({ sealed }: Given, then: (admin: Admin, path: string) => Promise<void>) => {
  world.mailboxExists(mailboxId, 'Finance')
  const path = `/v1/messages/${world.messageExists()}/sealed`
  const api = { ...world.api, sealed }
  const admin = await startAdmin({ api, host: '127.0.0.1', port: 0, certificate: tls })
  try {
    await then(admin, path)
  } finally {
    await admin.close()
  }
}

const get = async ({ address }: Admin, path: string) => {
  const headers = { authorization: `Bearer ${token}` }
  const asked = request({ host: '127.0.0.1', port: address?.port, path, headers, ca: tls.cert, agent: false }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return response
}

const rejects = async (work: Promise<unknown>, code: string) => {
  const error = await work.catch((error: unknown) => error as { readonly code?: string })
  assert.is((error as { readonly code?: string }).code, code)
}

const bodyOf = async (response: IncomingMessage) => {
  const chunks: Uint8Array[] = []
  for await (const chunk of response) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}

const chunk = Buffer.alloc(64 * 1024, 'x')

test('a message of any size arrives whole over TLS', async () => {
  const sealed = async function* () {
    for (let number = 0; number < 100; number++) yield await Promise.resolve(chunk)
  }
  await serving({ sealed }, async (admin, path) => {
    const response = await get(admin, path)
    assert.is((await bodyOf(response)).length, 100 * chunk.length)
    assert.is(response.complete, true)
  })
})

test('an empty message is an empty body', async () => {
  await serving({ sealed: async function* () {} }, async (admin, path) => {
    const response = await get(admin, path)
    assert.equal([response.statusCode, (await bodyOf(response)).length, response.complete], [200, 0, true])
  })
})

for (const chunks of [1, 20])
  test(`a stream that fails after ${chunks} chunks breaks the connection and never ends cleanly`, async () => {
    const sealed = async function* () {
      for (let number = 0; number < chunks; number++) yield await Promise.resolve(chunk)
      throw new GatewayError('object-corrupt')
    }
    await serving({ sealed }, async (admin, path) => {
      const response = await get(admin, path)
      assert.is(response.statusCode, 200)
      try {
        await bodyOf(response)
        assert.unreachable('the body ended')
      } catch (error) {
        assert.is((error as NodeJS.ErrnoException).code, 'ECONNRESET')
      }
      assert.is(response.complete, false)
    })
  })

test('what fails before the first chunk is still a problem with its status', async () => {
  const sealed = () => {
    throw new GatewayError('object-missing')
  }
  await serving({ sealed }, async (admin, path) => {
    const response = await get(admin, path)
    const { code } = JSON.parse((await bodyOf(response)).toString()) as { readonly code: string }
    assert.equal([response.statusCode, code], [410, 'object-missing'])
  })
})

test('a client that leaves in the middle ends the reading of the message', async () => {
  const ended = Promise.withResolvers<undefined>()
  const sealed = async function* () {
    try {
      for (;;) yield await Promise.resolve(chunk)
    } finally {
      ended.resolve(undefined)
    }
  }
  await serving({ sealed }, async (admin, path) => {
    const response = await get(admin, path)
    await once(response, 'readable')
    response.destroy()
    await ended.promise
  })
})

test('a turned off API listens nowhere, a port in use is refused in one sentence', async () => {
  const off = await startAdmin({ api: world.api, host: '127.0.0.1', port: 'off', certificate: tls })
  assert.is(off.address, undefined)
  await off.close()
  await serving({ sealed: async function* () {} }, async ({ address }) => {
    const again = startAdmin({ api: world.api, host: '127.0.0.1', port: address?.port ?? 0, certificate: tls })
    const error = await again.then(
      () => undefined,
      (error: unknown) => error as GatewayError,
    )
    assert.is(error?.code, 'start-refused')
    assert.is(
      error?.detail,
      `The admin API cannot listen on 127.0.0.1:${address?.port ?? 0}: another program is listening there.`,
    )
  })
})

/** What comes to the end of a TLS connection on which requests are written by hand. */
const conversation = async ({ address }: Admin) => {
  const socket = connect({ host: '127.0.0.1', port: address?.port ?? 0, ca: tls.cert })
  await once(socket, 'secureConnect')
  const ended = once(socket, 'close')
  let heard = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => (heard += chunk))
  socket.on('error', () => undefined)
  return {
    ask: (path: string) =>
      void socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`),
    ended: async () => {
      await ended
      return heard
    },
  }
}

test('while the API closes a running request comes to its end, and a new one is put off with a problem document', async () => {
  const [begun, released] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()]
  const sealed = async function* () {
    begun.resolve(undefined)
    await released.promise
    yield Buffer.from('the whole')
  }
  await serving({ sealed }, async (admin, path) => {
    const client = await conversation(admin)
    client.ask(path)
    await begun.promise
    const closed = admin.close()
    client.ask('/v1/mailboxes')
    await delay(50)
    released.resolve(undefined)
    const heard = await client.ended()
    await closed
    assert.match(heard, /^HTTP\/1\.1 200 OK[^]*the whole[^]*HTTP\/1\.1 503 Service Unavailable/)
    const problem = JSON.parse(heard.slice(heard.lastIndexOf('\r\n\r\n'))) as Record<string, unknown>
    assert.equal([problem['code'], problem['retry']], ['shutting-down', true])
    const [, head = ''] = heard.split('HTTP/1.1 503')
    for (const header of ['content-type: application/problem+json', 'retry-after: 5', 'connection: close'])
      assert.ok(head.toLowerCase().includes(header), header)
    await rejects(get(admin, path), 'ECONNREFUSED')
  })
})

test('a request that does not come to its end does not hold the API up for longer than its grace', async () => {
  const begun = Promise.withResolvers<undefined>()
  const sealed = async function* () {
    begun.resolve(undefined)
    for (;;) yield await delay(10, chunk)
  }
  await serving({ sealed }, async (admin, path) => {
    const client = await conversation(admin)
    client.ask(path)
    await begun.promise
    const at = performance.now()
    await admin.close(200)
    assert.ok(performance.now() - at < 9_000)
    assert.match(await client.ended(), /^HTTP\/1\.1 200 OK/)
  })
})

test('closing twice is closing once', async () => {
  const admin = await startAdmin({ api: world.api, host: '127.0.0.1', port: 0, certificate: tls })
  await Promise.all([admin.close(), admin.close()])
  await admin.close()
})

test.run()
