import { join } from 'node:path'
import nodemailer from 'nodemailer'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isRoot } from '../support/dovecot.ts'
import { peerTest } from '../support/peers.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { postfixPrograms, type PostfixProvider, startPostfixProvider } from '../support/postfixProvider.ts'
import { startProxyGateway } from '../support/proxyGateway.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { until } from '../support/until.ts'
import { outputOf, scratchFiles } from './program.ts'

const test = suite('SMTP providers')
const files = scratchFiles()

test.after(() => files.remove())

const mailOf = (subject: string) =>
  Buffer.from(
    `Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nFrom: <sender@example.com>\r\nTo: <recipient@provider.test>\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@example.com>\r\n\r\n.a dot\r\nGrüße\r\n..\r\nthe end\r\n`,
  )

type Way = {
  readonly provider: PostfixProvider
  readonly port: number
  readonly tlsPort: number
  readonly user: string
  readonly certificate: string
  readonly mail: Buffer
}
const [from, to, bcc] = ['sender@example.com', 'recipient@provider.test', 'blind@provider.test']

const pythonScript = `
import smtplib, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[3])
context.check_hostname = False
with smtplib.SMTP('127.0.0.1', int(sys.argv[1])) as server:
    server.starttls(context=context)
    server.login(sys.argv[2], 'provider-password')
    server.sendmail('${from}', ['${to}', '${bcc}'], sys.stdin.buffer.read(), ['BODY=8BITMIME'])
`

const senders: Readonly<Record<string, (way: Way) => Promise<unknown>>> = {
  swaks: ({ provider, port, user, mail }) =>
    outputOf('swaks', [
      ...['--server', '127.0.0.1', '--port', String(port), '--from', from, '--to', `${to},${bcc}`, '--tls'],
      ...['--auth', 'LOGIN', '--auth-user', user, '--auth-password', provider.password],
      ...['--data', `@${files.write('swaks.eml', mail.subarray(0, -2))}`, '--silent'],
    ]),
  msmtp: ({ provider, tlsPort, user, certificate, mail }) =>
    outputOf(
      'msmtp',
      [
        ...[
          '--host=127.0.0.1',
          `--port=${tlsPort}`,
          '--tls=on',
          '--tls-starttls=off',
          `--tls-trust-file=${certificate}`,
        ],
        ...['--auth=plain', `--user=${user}`, `--passwordeval=echo ${provider.password}`],
        ...[`--from=${from}`, '--', to, bcc],
      ],
      { input: mail.toString().replaceAll('\r\n', '\n') },
    ),
  curl: ({ provider, tlsPort, user, certificate, mail }) =>
    outputOf('curl', [
      ...[
        '--silent',
        '--show-error',
        '--url',
        `smtps://${encodeURIComponent(user)}:${provider.password}@127.0.0.1:${tlsPort}`,
      ],
      ...['--cacert', certificate, '--mail-from', from, '--mail-rcpt', to, '--mail-rcpt', bcc],
      ...['--upload-file', files.write('curl.eml', mail)],
    ]),
  python3: ({ port, user, certificate, mail }) =>
    outputOf('python3', ['-c', pythonScript, String(port), user, certificate], { input: mail }),
  nodemailer: async ({ provider, tlsPort, user, mail }) => {
    const transport = nodemailer.createTransport({
      host: '127.0.0.1',
      port: tlsPort,
      secure: true,
      tls: { rejectUnauthorized: false },
      auth: { user, pass: provider.password },
    })
    await transport.sendMail({ envelope: { from, to: [to, bcc] }, raw: mail })
    transport.close()
  },
}

const newest = async (port: number, user: string, password: string) => {
  const archive = await pop3Client(port)
  assert.match(await archive.login(user, password), /^\+OK/)
  const total = Number((await archive.command('STAT')).split(' ')[1])
  const text = (await archive.retrieve(total)).toString('latin1')
  await archive.quit()
  return text
}

/** What Postfix, or Dovecot before it, puts before a mail that it delivers. */
const withoutDeliveryHeaders = (text: string) => text.slice(text.indexOf('\r\nDate: ') + 2)

const programs = [...postfixPrograms, ...Object.keys(senders).filter((name) => name !== 'nodemailer')]
if (isRoot)
  peerTest(
    test,
    programs,
    'what real clients send comes to Postfix and Dovecot, and the same out of the mailbox',
    async () => {
      const authority = await testAuthority()
      const provider = await startPostfixProvider(authority)
      const ports = [provider.submissions, provider.submission, provider.dovecot]
      const gateway = await startProxyGateway(authority, ports)
      const mailbox = await gateway.createMailbox('--name', 'real')
      const certificate = join(gateway.data, 'admin.crt')
      try {
        for (const at of ports)
          for (const [name, send] of Object.entries(senders)) {
            const subject = `${name}-by-${at}`
            const mail = mailOf(subject)
            const user = `anna@example.com%localhost:${at}%${mailbox.mailboxId}`
            const { submission: port, submissions: tlsPort } = gateway.ports
            await send({ provider, port, tlsPort, user, certificate, mail })
            const copy = await newest(gateway.ports.pop3s, mailbox.mailboxId, mailbox.password)
            assert.match(copy, new RegExp(`^X-Sealpost-Envelope-To: <${bcc}>\r$`, 'm'))
            const isIt = (one: Buffer) => one.includes(`Subject: ${subject}`)
            await until(() => provider.delivered().filter(isIt).length >= 2, subject) // prettier-ignore
            const arrived = provider
              .delivered()
              .filter(isIt)
              .map((one) => one.toString('latin1').replaceAll('\n', '\r\n'))
            assert.is(arrived.length, 2, subject)
            for (const one of arrived) assert.is(withoutDeliveryHeaders(one), withoutDeliveryHeaders(copy), subject)
            assert.is(withoutDeliveryHeaders(copy), mail.toString('latin1'), subject)
          }
        assert.is(await gateway.stop(), 0)
      } finally {
        await provider.stop()
        gateway.remove()
      }
    },
  )

test.run()
