import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { answerChallenges } from '../../src/tls/acme/challengeListener.ts'
import { challengeAnswers } from '../../src/tls/acme/store.ts'
import { serveDocuments } from '../../src/wire/documents.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { testCertificate } from './testCertificate.ts'

const test = suite('short texts over HTTP')
const host = '127.0.0.1'

const ask = async (port: number, request: string) => {
  const socket = connect({ host, port })
  socket.write(request, 'latin1')
  return text(socket).catch(() => '')
}
const get = (port: number, path: string, method = 'GET') => ask(port, `${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)

test('the authority’s questions are answered and nothing else is, whatever lies in the key store', async () => {
  const { keys } = memoryKeys()
  await keys.put('tls/acme-challenges/secret', Buffer.from('secret'))
  const answers = challengeAnswers(keys)
  const token = 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0'
  await answers.put(token, `${token}.thumbprint`)
  const listener = await answerChallenges(answers, { host, port: 0 })
  const at = `/.well-known/acme-challenge/${token}`
  assert.match(await get(listener.port, at), new RegExp(`^HTTP/1\\.1 200 [^]*\\r\\n\\r\\n${token}\\.thumbprint$`))
  assert.match(await get(listener.port, at, 'HEAD'), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/)
  for (const path of [
    '/',
    '/.well-known/acme-challenge/',
    `${at}x`,
    `${at}/`,
    '/.well-known/acme-challenge/../../secret',
    '/.well-known/acme-challenge/tls/acme-challenges/secret',
    at.toLowerCase(),
    '/%2e%2e/secret',
    `/x${at}`,
  ])
    // prettier-ignore
    assert.match(await get(listener.port, path), /^HTTP\/1\.1 404 [^]*\r\n\r\n$/, path)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    assert.match(await get(listener.port, at, method), /^HTTP\/1\.1 405 /, method)
  await answers.remove(token)
  assert.match(await get(listener.port, at), /^HTTP\/1\.1 404 /)
  await listener.close()
})

test('a key store that is away is no answer, and no end of the process', async () => {
  const listener = await answerChallenges({ get: () => Promise.reject(new Error('away')) }, { host, port: 0 })
  assert.match(await get(listener.port, `/.well-known/acme-challenge/${'a'.repeat(43)}`), /^HTTP\/1\.1 503 /)
  await listener.close()
})

test('each connection has one answer; headers are bounded, and what is no HTTP is turned away', async () => {
  const documents = await serveDocuments({ host, port: 0, find: () => 'text' })
  const two = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2)
  assert.is((await ask(documents.port, two)).match(/HTTP\/1\.1 200/g)?.length, 1)
  assert.match(
    await ask(documents.port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  )
  assert.match(await ask(documents.port, 'EHLO a\r\n\r\n'), /^HTTP\/1\.1 400 /)
  await documents.close()
})

test('who asks over TLS is told to come over TLS only, and who asks in clear is not', async () => {
  const find = () => 'text'
  const pair = await testCertificate()
  const [clear, secure] = await Promise.all([
    serveDocuments({ host, port: 0, find }),
    serveDocuments({ host, port: 0, find, tls: () => pair }),
  ])
  assert.not.match(await get(clear.port, '/'), /strict-transport-security/i)
  const socket = connectTls({ host, port: secure.port, rejectUnauthorized: false })
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await text(socket), /^HTTP\/1\.1 200 [^]*\r\nstrict-transport-security: max-age=\d{8}\r\n/)
  await Promise.all([clear.close(), secure.close()])
})

test('closing does not wait for a peer that says nothing', async () => {
  const documents = await serveDocuments({ host, port: 0, find: () => 'text' })
  const socket = connect({ host, port: documents.port })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write('GET / HTTP/1.1\r\n')
  const before = Date.now()
  await documents.close()
  assert.ok(Date.now() - before < 9_000)
  socket.destroy()
})

test('a port that is taken refuses the start with one sentence', async () => {
  const documents = await serveDocuments({ host, port: 0, find: () => 'text' })
  const again = await serveDocuments({ host, port: documents.port, find: () => 'text' }).then(() => 'listening', String)
  assert.match(again, /is already in use on 127\.0\.0\.1/)
  await documents.close()
})

test.run()
