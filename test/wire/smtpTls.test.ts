import { connect } from 'node:net'
import { createTransport } from 'nodemailer'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openWire } from '../support/wire.ts'
import { until } from '../support/until.ts'
import { address, first, greeting, startTestSmtp, talk, withSmtp } from './smtpTestServer.ts'

const tls = { rejectUnauthorized: false }

for (const secure of [false, true])
  test(`a real client delivers over ${secure ? 'implicit TLS' : 'STARTTLS'}`, async () => {
    const server = await startTestSmtp()
    const port = secure ? server.tlsPort : server.port
    const client = createTransport({ host: '127.0.0.1', port, secure, requireTLS: !secure, tls })
    const sent = await client.sendMail({ from: 'a@example.com', to: address, subject: 'x', text: '.\n..\nhello' })
    client.close()
    assert.match(sent.response, /^250 2\.6\.0 \S+ sealed and recorded$/)
    const { delivery, trace, body } = first(server.mails)
    assert.equal(delivery.tls?.version, 'TLSv1.3')
    assert.match(trace, /with ESMTPS \(TLSv1\.3 TLS_\w+\)\r\n/)
    assert.match(body.toString(), /\r\n\.\r\n\.\.\r\nhello\r\n$/)
    await until(() => server.ends.length > 0)
    assert.is(server.sessions[0], `opened ${secure ? 'smtps' : 'smtp'} TLSv1.3`)
    await server.close()
  })

test(
  'what the peer pipelined after STARTTLS in clear is never executed',
  withSmtp({}, async ({ mails, refusals }, wire) => {
    await talk(wire, greeting)
    wire.send(`STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<${address}>\r\n`)
    await talk(wire, 'S: 220 2.0.0 Ready to start TLS')
    await wire.startTls()
    assert.equal(refusals, [])
    await talk(wire, `C: MAIL FROM:<a@b>\nS: 503 5.5.1 Say EHLO first\nC: NOOP\nS: 250 2.0.0 OK`)
    assert.is(mails.length, 0)
  }),
)

test(
  'after STARTTLS nothing that was said before counts',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(wire, `S: 220 *\nC: EHLO before.example`)
    await wire.until('250 ENHANCEDSTATUSCODES\r\n')
    await talk(wire, 'C: STARTTLS\nS: 220 *')
    await wire.startTls()
    await talk(wire, `C: HELO after.example\nS: 250 gateway.example\nC: STARTTLS\nS: 503 5.5.1 TLS is active already`)
    await talk(wire, `C: MAIL FROM:<>\nC: RCPT TO:<${address}>\nC: DATA\nC: x\nC: .`)
    await talk(wire, 'S: 250 *\nS: 250 *\nS: 354 *\nS: 250 2.6.0 *')
    assert.match(first(mails).trace, /from after\.example /)
  }),
)

test(
  'STARTTLS is not offered under implicit TLS',
  withSmtp(
    {},
    async (_, wire) => {
      await talk(wire, 'S: 220 *\nC: EHLO x')
      const offered = (await wire.until('250 ENHANCEDSTATUSCODES\r\n')).toString()
      assert.not.match(offered, /STARTTLS/)
    },
    true,
  ),
)

test(
  'a handshake that fails or never comes ends the connection and nothing else',
  withSmtp({ limits: { tlsHandshake: 0.2 } }, async ({ port, tlsPort }, wire) => {
    await talk(wire, `S: 220 *\nC: STARTTLS\nS: 220 *\nC: this is no handshake`)
    await wire.closed()
    const silent = await openWire(port)
    await talk(silent, 'S: 220 *\nC: STARTTLS\nS: 220 *')
    await silent.closed()
    silent.destroy()
    const implicit = connect(tlsPort, '127.0.0.1')
    await new Promise((resolve) => implicit.once('close', resolve).resume())
    const next = await openWire(port)
    await talk(next, 'S: 220 *')
    next.destroy()
  }),
)

test(
  'a peer that leaves in the middle of a handshake is not waited for',
  withSmtp({}, async ({ port, tlsPort, smtp }, wire) => {
    wire.destroy()
    const leaving = [connect(tlsPort, '127.0.0.1'), connect(port, '127.0.0.1')] as const
    leaving[1].resume().write('STARTTLS\r\n')
    await until(() => leaving[1].bytesRead > '220 gateway.example ESMTP Sealpost\r\n'.length)
    const gone = leaving.map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    for (const socket of leaving) socket.resume().end()
    await Promise.all(gone)
    await smtp.close(0)
  }),
)

test(
  'TLS before version 1.2 is refused',
  withSmtp({}, async ({ tlsPort }) => {
    const { connect: connectTls } = await import('node:tls')
    const options = { port: tlsPort, host: '127.0.0.1', maxVersion: 'TLSv1.1', minVersion: 'TLSv1' } as const
    const socket = connectTls({ ...options, rejectUnauthorized: false, ciphers: 'DEFAULT@SECLEVEL=0' })
    const error = await new Promise((resolve) => socket.once('error', resolve).once('secureConnect', resolve))
    socket.destroy()
    assert.instance(error, Error)
  }),
)

test('a new certificate serves new connections', async () => {
  const { testCertificate } = await import('./testCertificate.ts')
  const { connect: connectTls } = await import('node:tls')
  const pair = await Promise.all([testCertificate(), testCertificate()])
  let [current] = pair
  const server = await startTestSmtp({ tls: () => current })
  const served = async () => {
    const socket = connectTls({ port: server.tlsPort, host: '127.0.0.1', rejectUnauthorized: false })
    await new Promise((resolve) => socket.once('secureConnect', resolve))
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }
  const before = await served()
  current = pair[1]
  server.smtp.renew()
  assert.is.not(await served(), before)
  await server.close()
})

test.run()
