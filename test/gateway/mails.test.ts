import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ScratchGateway } from '../../ops/scratchGateway.ts'
import { awkwardMails } from '../support/mails.ts'
import { corpusTest, type Mail } from '../support/peers.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { messagesOf, onTheWire, withoutTrace } from '../support/roundTrip.ts'
import { asSent, smtpClient } from '../support/smtpClient.ts'
import { storeDoubleProcess } from '../support/storeDoubleProcess.ts'
import { startTestGateway } from '../support/testGateway.ts'

// The same mails over both kinds of log: the embedded one, and EventStoreDB's protocol over a double of it.
const store = await storeDoubleProcess()
const embedded = await startTestGateway()
const env = { SEALPOST_LOG_ENGINE: 'eventstoredb', SEALPOST_LOG_URL: store.url }
const overEventStore = await startTestGateway({ env })

test.after(async () => {
  for (const gateway of [embedded, overEventStore]) {
    await gateway.stop()
    gateway.remove()
  }
  await store.remove()
})

type Way = 'starttls' | 'implicit' | 'chunks'

/** Every mail goes in by SMTP, and comes out by POP3 and by the API as the documentation says. */
const goThrough = async (gateway: ScratchGateway, mails: readonly Mail[], way: Way) => {
  const { address, mailboxId, password } = await gateway.createMailbox('--name', 'mails')
  const sender =
    way === 'starttls'
      ? await smtpClient(gateway.ports.smtp, { starttls: true })
      : await smtpClient(gateway.ports.smtps, { tls: true })
  // Chunks carry a last line without its end too.
  const kept = way === 'chunks' ? (bytes: Buffer) => bytes : asSent
  for (const { name, bytes } of mails) {
    const reply = await (way === 'chunks' ? sender.deliverInChunks(address, bytes) : sender.deliver(address, bytes))
    assert.ok(reply.startsWith('250 '), `${name}: ${reply}`)
  }
  await sender.quit()

  const archive = await pop3Client(gateway.ports.pop3s)
  assert.ok((await archive.login(mailboxId, password)).startsWith('+OK'))
  const sizes = (await archive.list('LIST')).toString().trim().split('\r\n')
  const passwordFile = join(gateway.data, 'password.txt')
  writeFileSync(passwordFile, password)
  const messages = await messagesOf(gateway, mailboxId)
  for (const [index, { name, bytes }] of mails.entries()) {
    const wire = await archive.retrieve(index + 1)
    assert.is(sizes[index], `${index + 1} ${wire.length}`, `${name}: LIST says its octets`)
    assert.ok(withoutTrace(wire).equals(onTheWire(kept(bytes))), `${name}: by POP3`)
    if (index % 10 !== 0 && !bytes.includes(0)) continue
    const exact = await gateway.commandBytes('open', messages[index]?.messageId ?? '', '--password-file', passwordFile)
    assert.ok(withoutTrace(exact).equals(kept(bytes)), `${name}: opened to the octet`)
    assert.is(exact.length, messages[index]?.size)
  }
  await archive.quit()
}

const awkwards = Object.entries(awkwardMails).map(([name, bytes]) => ({ name, bytes }))
const awkward = 'every awkward mail comes out as it went in, by the documented rule'
test(awkward, () => goThrough(embedded, awkwards, 'starttls'))
test(`${awkward}, with the log in EventStoreDB`, () => goThrough(overEventStore, awkwards, 'starttls'))

test('every awkward mail comes out of chunks octet for octet', () => goThrough(embedded, awkwards, 'chunks'))

corpusTest(test, 'every real mail comes out as it went in, by the documented rule', (mails) =>
  goThrough(embedded, mails, 'implicit'),
)
corpusTest(test, 'every real mail comes out of chunks octet for octet', (mails) => goThrough(embedded, mails, 'chunks'))

test.run()
