// A story of one mail, on a gateway of its own that is gone afterwards: npm run demo
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '../src/core/secret.ts'
import { startOpening } from '../src/seal/age.ts'
import { openWithPassphrase } from '../src/seal/passphrase.ts'
import { parseIdentity } from '../src/seal/x25519.ts'
import { pop3Client } from '../test/support/pop3Client.ts'
import { smtpClient } from '../test/support/smtpClient.ts'
import { startScratchGateway } from './scratchGateway.ts'

let step = 0
const tell = (title: string) => console.log(`\n${++step}. ${title}`)
const show = (text: string) => console.log(text.replaceAll('\r', '').trimEnd().replace(/^/gm, '   │ '))
const mail = (subject: string, text: string) =>
  Buffer.from(
    `From: Anna <anna@example.com>\r\nTo: Ben <ben@example.net>\r\nSubject: ${subject}\r\n` +
      `Date: Tue, 3 Mar 2026 09:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n${text}\r\n`,
  )

tell('A gateway starts, and an administrator makes a mailbox. Its password is shown once, and never again.')
const gateway = await startScratchGateway()
const scratch = mkdtempSync(join(tmpdir(), 'sealpost-demo-'))
try {
  const mailbox = await gateway.createMailbox('--name', 'Journal of the sales team')
  show(`sealpost mailbox create --name 'Journal of the sales team'\naddress   ${mailbox.address}`)
  show(`password  ${mailbox.password}`)

  tell('A mail server pushes two copies to that address, over SMTP with STARTTLS. 250 means: sealed, and on the disk.')
  const sender = await smtpClient(gateway.ports.smtp, { starttls: true })
  show(
    `S: ${await sender.deliver(mailbox.address, mail('The offer', 'We offer 120,000 for the lot.'), 'anna@example.com')}`,
  )
  show(`S: ${await sender.deliver(mailbox.address, mail('Re: The offer', 'Agreed.'), 'ben@example.net')}`)
  await sender.quit()

  tell('What lies on the disk is sealed: no word of the mail can be found in it.')
  const found = spawnSync('grep', ['-rlE', '120,000|The offer|anna@example', gateway.data], { encoding: 'utf8' })
  show(`grep -rlE '120,000|The offer|anna@example' data/\n${found.stdout.trim() || '(nothing)'}`)

  tell('The archive collects over POP3S, with the mailbox password.')
  const archive = await pop3Client(gateway.ports.pop3s)
  await archive.login(mailbox.mailboxId, mailbox.password)
  show(`C: STAT\nS: ${await archive.command('STAT')}\nC: RETR 1`)
  show((await archive.retrieve(1)).toString())
  await archive.quit()

  tell('Without the gateway: the sealed object and the identity are ordinary age files.')
  const { messages } = JSON.parse(
    await gateway.command('message', 'list', '--mailbox', mailbox.mailboxId, '--json'),
  ) as { messages: { messageId: string }[] }
  const [first] = messages
  if (!first) throw new Error('the message list is empty')
  const sealed = await gateway.commandBytes('sealed', first.messageId)
  const identity = await openWithPassphrase(
    await gateway.commandBytes('mailbox', 'identity', mailbox.mailboxId),
    new Secret(mailbox.password),
    { maxLogN: 18 },
  )
  const identityPath = join(scratch, 'identity.txt')
  writeFileSync(identityPath, identity, { mode: 0o600 })
  const withAge = spawnSync('age', ['--version']).status === 0
  const opened = withAge
    ? execFileSync('age', ['-d', '-i', identityPath], { input: sealed })
    : openedHere(sealed, readFileSync(identityPath, 'utf8'))
  show(withAge ? 'sealpost sealed MESSAGE | age -d -i identity.txt' : '(the age program is not installed: opened here)')
  show(opened.toString().split('\r\n\r\n')[1] ?? '')

  tell('Every fact is in the log, without content and without correspondents, for whoever must be shown.')
  const events = (await gateway.command('events')).trim().split('\n')
  for (const line of events) {
    const { type, metadata, data } = JSON.parse(line) as {
      type: string
      metadata: { at: string; principal: string }
      data: { messageId?: string; size?: number }
    }
    const about = [data.messageId, data.size && `${data.size} octets`].filter(Boolean).join(', ')
    show(`${metadata.at.slice(11, 23)}  ${type.padEnd(20)} ${metadata.principal.padEnd(22)} ${about}`)
  }
} finally {
  await gateway.stop()
  gateway.remove()
  rmSync(scratch, { recursive: true })
}
console.log('\nThe scratch gateway is gone. Start your own with: npm start')

function openedHere(sealed: Uint8Array, identityText: string) {
  const line = identityText.split('\n').find((text) => text.startsWith('AGE-SECRET-KEY-')) ?? ''
  const opening = startOpening([parseIdentity(line)])
  return Buffer.concat([...opening.update(sealed), ...opening.final()])
}
