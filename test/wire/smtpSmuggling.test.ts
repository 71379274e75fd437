import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { smuggling } from '../support/smuggling.ts'
import { openWire } from '../support/wire.ts'
import { until } from '../support/until.ts'
import { address, first, startTestSmtp } from './smtpTestServer.ts'

const server = await startTestSmtp()
test.after(() => server.close())

const begin = `MAIL FROM:<sender@example.com>\r\nRCPT TO:<${address}>\r\n`
const evil = `MAIL FROM:<evil@example.com>\r\nRCPT TO:<${address}>\r\nDATA\r\nsecond\r\n`

/** Sends all of a session at once; gives the codes of all that was answered. */
const codes = async (session: string): Promise<readonly string[]> => {
  server.mails.length = 0
  const wire = await openWire(server.port)
  wire.send(Buffer.from(`HELO x\r\n${session}QUIT\r\n`, 'latin1'))
  const heard = (await wire.until('221 2.0.0 Bye\r\n')).toString()
  wire.destroy()
  return heard.match(/^\d{3}/gmv) ?? []
}

test('no published sequence, and no other, smuggles a second message into DATA', async () => {
  for (const end of smuggling) {
    const content = `first${end}${evil}`
    const heard = await codes(`${begin}DATA\r\n${content}.\r\n`)
    assert.equal(heard, ['220', '250', '250', '250', '354', '250', '221'], JSON.stringify(end))
    assert.is(server.mails.length, 1)
    // A dot is removed after CRLF and nowhere else.
    assert.is(first(server.mails).body.toString('latin1'), content.replaceAll('\r\n.', '\r\n'), JSON.stringify(end))
  }
})

test('in a chunk nothing at all ends the data, and no dot is removed', async () => {
  for (const end of [...smuggling, '\r\n.\r\n', '\r\n.\r\nRSET\r\nBDAT 0 LAST\r\n']) {
    const content = `first${end}${evil}`
    const at = content.indexOf(evil)
    // Cut in the middle of the sequence too: what a chunk ends with and the next begins with is no sequence either.
    const [one, other] = [content.slice(0, at - 1), content.slice(at - 1)]
    const heard = await codes(`${begin}BDAT ${one.length}\r\n${one}BDAT ${other.length} LAST\r\n${other}`)
    assert.equal(heard, ['220', '250', '250', '250', '250', '250', '221'], JSON.stringify(end))
    assert.is(server.mails.length, 1)
    assert.is(first(server.mails).body.toString('latin1'), content, JSON.stringify(end))
  }
})

test('a chunk that says less than follows it ends where it says: the rest is commands, as of any peer', async () => {
  const heard = await codes(`${begin}BDAT 5 LAST\r\nfirst\r\n.\r\n`)
  assert.equal(heard, ['220', '250', '250', '250', '250', '500', '500', '221'])
  assert.is(first(server.mails).body.toString(), 'first')
})

test('what is pipelined behind STARTTLS is discarded, however much it is and wherever it is cut', async () => {
  const pipelined = `EHLO evil\r\n${begin}BDAT 4 LAST\r\nevil`
  for (const rest of [
    pipelined,
    `${'NOOP\r\n'.repeat(500)}${pipelined}`,
    'MAIL FROM:<evil@exam',
    'BDAT 90 LAST\r\nevil',
  ]) {
    server.mails.length = 0
    const wire = await openWire(server.port)
    await wire.line()
    wire.send(`STARTTLS\r\n${rest}`)
    assert.is(await wire.line(), '220 2.0.0 Ready to start TLS')
    await wire.startTls()
    wire.send('NOOP\r\nMAIL FROM:<>\r\nQUIT\r\n')
    const heard = (await wire.until('221 2.0.0 Bye\r\n')).toString()
    assert.equal(heard.match(/^\d{3}/gmv), ['250', '503', '221'])
    assert.is(server.mails.length, 0)
    wire.destroy()
  }
  await until(() => server.smtp.connections() === 0)
})

test.run()
