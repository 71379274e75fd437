import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { peerTest } from '../support/peers.ts'
import { stored } from './memoryMaildrops.ts'
import { password, pop3With } from './pop3Transcript.ts'

const test = suite('pop3 by curl')

const curl = async (...args: readonly string[]) => {
  const { stdout } = await promisify(execFile)('curl', [
    '-sSk',
    '--max-time',
    '100',
    '-u',
    `alice:${password}`,
    ...args,
  ])
  return stdout
}
const mail = 'Subject: to curl\r\n\r\n.hidden\r\n..\r\nend\r\n'

peerTest(test, ['curl'], 'curl fetches a message octet for octet over pop3s and over STLS', async () => {
  const { server, plain, secure } = await pop3With([stored(mail)])
  assert.is(await curl(`pop3s://127.0.0.1:${secure}/1`), mail)
  assert.is(await curl('--ssl-reqd', `pop3://127.0.0.1:${plain}/1`), mail)
  assert.is(await curl(`pop3s://127.0.0.1:${secure}/`), `1 ${mail.length}\r\n`)
  await server.close(0)
})

peerTest(test, ['curl'], 'curl is refused before TLS and with TLS 1.1', async () => {
  const { server, plain, secure, done } = await pop3With([stored(mail)])
  for (const args of [[`pop3://127.0.0.1:${plain}/1`], ['--tls-max', '1.1', `pop3s://127.0.0.1:${secure}/1`]])
    assert.instance(await curl(...args).catch((error: unknown) => error), Error)
  assert.equal(done.logins, [])
  await server.close(0)
})

test.run()
