import { chmodSync, mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { peerTest, programPath } from '../support/peers.ts'
import { withoutTrace } from '../support/roundTrip.ts'
import { startTestGateway } from '../support/testGateway.ts'
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

/** Exim delivers as a user of its own. */
const openToAll = (dir: string) => {
  mkdirSync(dir, { recursive: true })
  chmodSync(dir, 0o777)
  return dir
}

const configuration = () => {
  chmodSync(files.dir, 0o755)
  const certificate = files.write('gateway.crt', readFileSync(join(gateway.data, 'admin.crt')))
  chmodSync(certificate, 0o644)
  const path = files.write(
    'exim.conf',
    `exim_path = ${realpathSync(programPath('exim4') ?? '')}
keep_environment =
primary_hostname = sender.example
spool_directory = ${openToAll(join(files.dir, 'spool'))}
log_file_path = ${openToAll(join(files.dir, 'log'))}/%s
received_header_text =
no_local_from_check
begin routers
gateway:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = gateway
begin transports
gateway:
  driver = smtp
  allow_localhost
  port = ${gateway.ports.smtp}
  hosts_require_tls = *
  tls_verify_certificates = ${certificate}
  tls_verify_hosts = *
  tls_verify_cert_hostnames =
`,
  )
  chmodSync(path, 0o644)
  return path
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
  const config = configuration()
  const mails = [...ordinaryMails, largeMail]
  for (const mail of mails)
    await outputOf('exim4', ['-C', config, '-odi', '-oi', '-f', 'ada@example.com', mailbox.address], {
      input: inUnixLines(mail),
    })
  const log = readFileSync(join(files.dir, 'log', 'main'), 'utf8')
  const delivered = log.split('\n').filter((line) => line.includes(' => '))
  assert.is(delivered.length, mails.length, log)
  // Exim's mark of a delivery by BDAT.
  for (const line of delivered) assert.match(line, / K .*C="250 2\.6\.0 .* sealed and recorded"/)
  const received = (await retrieved(gateway.ports.pop3s, mailbox)).map(withoutTrace)
  for (const [index, mail] of mails.entries()) assert.is(received[index]?.toString('latin1'), mail.toString('latin1'))
})

test.run()
