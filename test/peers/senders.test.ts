import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { peerTest } from '../support/peers.ts'
import { withoutTrace } from '../support/roundTrip.ts'
import { inUnixLines, ordinaryMails, sorted } from './ordinaryMails.ts'
import { outputOf, scratchFiles } from './program.ts'
import { retrieved } from './retrieved.ts'
import { startTestGateway } from '../support/testGateway.ts'

const test = suite('mail senders')
const gateway = await startTestGateway()
const files = scratchFiles()
const certificate = join(gateway.data, 'admin.crt')

test.after(async () => {
  await gateway.stop()
  gateway.remove()
  files.remove()
})

const areEqual = (these: readonly Buffer[], those: readonly Buffer[]) => {
  assert.is(these.length, those.length)
  for (const [index, mail] of these.entries()) assert.is(mail.toString('latin1'), those[index]?.toString('latin1'))
}

/** swaks's words for STARTTLS and for TLS from the first octet. */
const swaksWays = [
  ['--tls', gateway.ports.smtp],
  ['--tlsc', gateway.ports.smtps],
] as const

for (const [flag, port] of swaksWays) {
  peerTest(test, ['swaks'], `what swaks ${flag} sends comes out as it was`, async () => {
    const mailbox = await gateway.createMailbox('--name', `swaks ${flag}`)
    for (const mail of ordinaryMails) {
      // swaks ends the last line itself.
      const data = `@${files.write('swaks.eml', mail.subarray(0, -2))}`
      const to = ['--server', `127.0.0.1:${port}`, '--to', mailbox.address, '--from', 'ada@example.com']
      await outputOf('swaks', [...to, flag, '--tls-verify', '--tls-ca-path', certificate, '--data', data, '--silent'])
    }
    const mails = await retrieved(gateway.ports.pop3s, mailbox)
    areEqual(mails.map(withoutTrace), ordinaryMails)
    for (const mail of mails) assert.match(mail.toString(), /^Received: [^]*? with ESMTPS /m)
  })
}

peerTest(test, ['msmtp'], 'what msmtp sends over STARTTLS, the certificate verified, comes out as it was', async () => {
  const mailbox = await gateway.createMailbox('--name', 'msmtp')
  const config = files.write(
    'msmtprc',
    `account default\nhost localhost\nport ${gateway.ports.smtp}\nfrom ada@example.com\nauth off\n` +
      `tls on\ntls_starttls on\ntls_trust_file ${certificate}\n`,
  )
  for (const mail of ordinaryMails)
    await outputOf('msmtp', ['-C', config, '--', mailbox.address], { input: inUnixLines(mail) })
  areEqual((await retrieved(gateway.ports.pop3s, mailbox)).map(withoutTrace), ordinaryMails)
})

peerTest(test, ['smtp-source'], 'what smtp-source sends over ten sessions at once comes out as it was', async () => {
  const mailbox = await gateway.createMailbox('--name', 'smtp-source')
  const each = 20
  for (const mail of ordinaryMails) {
    const file = files.write('source.eml', inUnixLines(mail))
    const load = ['-s', '10', '-m', String(each), '-f', 'ada@example.com', '-t', mailbox.address]
    await outputOf('smtp-source', [...load, '-F', file, `inet:127.0.0.1:${gateway.ports.smtp}`])
  }
  // smtp-source ends every file's mail with an empty line.
  const expected = ordinaryMails.flatMap((mail) => Array<Buffer>(each).fill(Buffer.concat([mail, Buffer.from('\r\n')])))
  areEqual(sorted((await retrieved(gateway.ports.pop3s, mailbox)).map(withoutTrace)), sorted(expected))
})

test.run()
