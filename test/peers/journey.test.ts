import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inProcessOfItsOwn } from '../../ops/scratchGateway.ts'
import { peerTest } from '../support/peers.ts'
import { messagesOf, withoutTrace } from '../support/roundTrip.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { ageWithPassphrase } from './ageTerminal.ts'
import { ordinaryMails } from './ordinaryMails.ts'
import { outputOf, scratchFiles } from './program.ts'

const test = suite('the whole way by real programs')
const gateway = await startTestGateway({ runCommand: inProcessOfItsOwn })
const files = scratchFiles()
const certificate = join(gateway.data, 'admin.crt')

test.after(async () => {
  await gateway.stop()
  gateway.remove()
  files.remove()
})

const fetchedByCurl = (mailboxId: string, password: string) => {
  const config = files.write(
    'curlrc',
    `silent\nshow-error\ncacert = "${certificate}"\nuser = "${mailboxId}:${password}"\n`,
  )
  return outputOf('curl', ['--config', config, `pop3s://127.0.0.1:${gateway.ports.pop3s}/1`])
}

/** What the age program makes of a sealed message with the mailbox's identity, which it opens with the password first. */
const openedByAge = async (mailboxId: string, password: string, messageId: string) => {
  const kept = files.write('identity.age', await gateway.commandBytes('mailbox', 'identity', mailboxId))
  const identity = files.write('identity.txt', '')
  await ageWithPassphrase(password, ['-d', '-o', identity, kept])
  assert.match(readFileSync(identity, 'utf8'), /^AGE-SECRET-KEY-1\w+$/m)
  return outputOf('age', ['-d', '-i', identity], { input: await gateway.commandBytes('sealed', messageId) })
}

peerTest(
  test,
  ['swaks', 'curl', 'age', 'python3'],
  'what swaks sends is what curl fetches with the password, and what age opens with the identity',
  async () => {
    const { mailboxId, address, password } = await gateway.createMailbox('--name', 'Journal')
    const mail = ordinaryMails[0] ?? Buffer.alloc(0)
    // swaks ends the last line itself.
    const data = `@${files.write('mail.eml', mail.subarray(0, -2))}`
    const to = ['--server', `127.0.0.1:${gateway.ports.smtp}`, '--to', address, '--from', 'ada@example.com']
    await outputOf('swaks', [...to, '--tls', '--data', data])

    const fetched = await fetchedByCurl(mailboxId, password)
    assert.is(withoutTrace(fetched).toString(), mail.toString())
    const messages = await messagesOf(gateway, mailboxId)
    assert.is(messages.length, 1)
    const messageId = messages[0]?.messageId ?? ''
    const passwordFile = files.write('password.txt', password)
    const opened = await gateway.commandBytes('open', messageId, '--password-file', passwordFile)
    assert.ok(opened.equals(await openedByAge(mailboxId, password, messageId)))
    assert.ok(opened.equals(fetched), 'a mail in CRLF lines is the same on the POP3 wire')
  },
)

test.run()
