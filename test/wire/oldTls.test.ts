import { connect, type ConnectionOptions } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startAdmin } from '../../src/http/admin.ts'
import { doubles } from './httpDoubles.ts'
import { pop3With } from './pop3Transcript.ts'
import { testCertificate } from './testCertificate.ts'

const test = suite('old TLS')

/** The version that was agreed on, or the code of the failure. The client itself would take anything. */
const agreed = (port: number, version: ConnectionOptions): Promise<string | null> =>
  new Promise((resolve) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ciphers: 'DEFAULT@SECLEVEL=0',
      ...version,
    })
    const done = (outcome: string | null) => {
      socket.destroy()
      resolve(outcome)
    }
    socket.once('secureConnect', () => done(socket.getProtocol()))
    socket.once('error', ({ code }: NodeJS.ErrnoException) => done(code ?? 'failed'))
  })

const onlyNew = async (port: number) => {
  for (const old of ['TLSv1', 'TLSv1.1'] as const)
    assert.is(await agreed(port, { minVersion: 'TLSv1', maxVersion: old }), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', old)
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    assert.is(await agreed(port, { minVersion: version, maxVersion: version }), version)
}

test('POP3 refuses TLS before version 1.2', async () => {
  const { server, secure } = await pop3With([])
  await onlyNew(secure)
  await server.close(0)
})

test('the admin API refuses TLS before version 1.2, with a renewed certificate too', async () => {
  const world = doubles()
  const admin = await startAdmin({ api: world.api, host: '127.0.0.1', port: 0, certificate: await testCertificate() })
  const port = admin.address?.port ?? 0
  await onlyNew(port)
  admin.renew(await testCertificate())
  await onlyNew(port)
  await admin.close()
  world.close()
})

test.run()
