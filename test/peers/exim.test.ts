import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { peerTest } from '../support/peers.ts'
import { withoutTrace } from '../support/roundTrip.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { eximConfiguration } from './exim.ts'
import { inUnixLines, ordinaryMails } from './ordinaryMails.ts'
import { outputOf, scratchFiles } from './program.ts'
import { retrieved } from './retrieved.ts'

const test = suite('Exim')
const gateway = await startTestGateway()
const files = scratchFiles()

test.after(async () => {
  await gateway.stop()
  gateway.remove()
  files.remove()
})

const configuration = () => {
  const certificate = files.write('gateway.crt', readFileSync(join(gateway.data, 'admin.crt')))
  chmodSync(certificate, 0o644)
  return eximConfiguration(files, {
    port: gateway.ports.smtp,
    main: 'no_local_from_check',
    transport: `  hosts_require_tls = *
  tls_verify_certificates = ${certificate}
  tls_verify_hosts = *
  tls_verify_cert_hostnames =`,
  })
}

/** More than fits one chunk of Exim's, with lines that would have to be stuffed elsewhere. */
const largeMail = Buffer.concat([
  Buffer.from(
    'From: ada@example.com\r\nDate: Tue, 03 Mar 2026 09:00:00 +0000\r\nMessage-ID: <large@example.com>\r\n\r\n',
  ),
  Buffer.alloc(400_000, '.\r\n..\r\n.of chunks\r\n'),
  Buffer.from('\r\n'),
])

peerTest(test, ['exim4'], 'what Exim sends in chunks comes out as it was', async () => {
  const mailbox = await gateway.createMailbox('--name', 'Exim')
  const { config, log: logFile } = configuration()
  const mails = [...ordinaryMails, largeMail]
  for (const mail of mails)
    await outputOf('exim4', ['-C', config, '-odi', '-oi', '-f', 'ada@example.com', mailbox.address], {
      input: inUnixLines(mail),
    })
  const log = readFileSync(logFile, 'utf8')
  const delivered = log.split('\n').filter((line) => line.includes(' => '))
  assert.is(delivered.length, mails.length, log)
  // Exim's mark of a delivery by BDAT.
  for (const line of delivered) assert.match(line, / K .*C="250 2\.6\.0 .* sealed and recorded"/)
  const received = (await retrieved(gateway.ports.pop3s, mailbox)).map(withoutTrace)
  for (const [index, mail] of mails.entries()) assert.is(received[index]?.toString('latin1'), mail.toString('latin1'))
})

test.run()
