import { connect } from 'node:net'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { openWire, type Wire } from '../support/wire.ts'
import { until } from '../support/until.ts'
import { isSlowedDown, slowArchive, unconfirmed, witness } from './smtpArchives.ts'
import { address, drain, first, greeting, startTestSmtp, talk, withSmtp } from './smtpTestServer.ts'

const envelope = `
  C: MAIL FROM:<sender@example.com>
  S: 250 2.1.0 Sender OK
  C: RCPT TO:<${address}>
  S: 250 2.1.5 Recipient OK`

const sendChunk = (wire: Wire, octets: Uint8Array | string, last = '') => {
  const content = Buffer.from(octets)
  wire.send(Buffer.concat([Buffer.from(`BDAT ${content.length}${last}\r\n`), content]))
}
const taken = 'S: 250 2.0.0 Chunk received'
const sealed = 'S: 250 2.6.0 * sealed and recorded'

test(
  'the octets of chunks come out as they are: bare LF and CR, NUL, dots, commands, a last line without its end',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(wire, greeting + envelope)
    const octets = Buffer.from(
      'Subject: x\n\n.\r\n..\r\n\r\n.\r\nRSET\r\nBDAT 5 LAST\r\n\0\r\r\n\n.\nQUIT\r\nä\xff.',
      'latin1',
    )
    sendChunk(wire, octets.subarray(0, 20))
    await talk(wire, taken)
    sendChunk(wire, octets.subarray(20), ' LAST')
    await talk(wire, `${sealed}\nC: NOOP\nS: 250 2.0.0 OK`)
    assert.is(mails.length, 1)
    assert.equal(first(mails).body, octets)
    assert.match(first(mails).trace, /with ESMTP\r\n/)
  }),
)

test(
  'a chunk of every octet there is comes out as it is',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(wire, greeting + envelope)
    const octets = Buffer.from(Array.from({ length: 65_536 }, (_, index) => (index * 7) >> (index % 9)))
    sendChunk(wire, octets, ' LAST')
    await talk(wire, sealed)
    assert.equal(first(mails).body, octets)
  }),
)

test(
  'BDAT 0 LAST ends a message, and may be all of it',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(wire, greeting + envelope)
    sendChunk(wire, 'content')
    await talk(wire, `${taken}\nC: BDAT 0\n${taken}\nC: bdat 0 last\n${sealed}${envelope}\nC: BDAT 0 LAST\n${sealed}`)
    assert.equal(
      mails.map(({ body }) => body.toString()),
      ['content', ''],
    )
  }),
)

test(
  'a whole session in one segment is answered in order, a message in chunks beside one by DATA',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(wire, greeting)
    const start = `MAIL FROM:<>\r\nRCPT TO:<${address}>\r\n`
    const [chunks, data] = ['BDAT 3\r\none', 'DATA\r\nthree\r\n.\r\n']
    wire.send(`${start}${chunks}BDAT 5\r\nRSET\nBDAT 3 LAST\r\ntwo${start}${data}${start}BDAT 4 LAST\r\nfourQUIT\r\n`)
    const begun = 'S: 250 2.1.0 *\nS: 250 2.1.5 *'
    await talk(
      wire,
      `${begun}\n${taken}\n${taken}\n${sealed}\n${begun}\nS: 354 *\n${sealed}\n${begun}\n${sealed}\nS: 221 *`,
    )
    assert.equal(
      mails.map(({ body }) => body.toString()),
      ['oneRSET\ntwo', 'three\r\n', 'four'],
    )
  }),
)

test('the same octets of a session, in any segmentation, give the same messages and the same replies', async () => {
  const server = await startTestSmtp()
  const critical = fc.array(fc.constantFrom('\r\n.\r\n', '\n', '\0', '.', 'BDAT 9\r\n', 'RSET\r\n', 'x'), {
    maxLength: 12,
  })
  const text = critical.map((parts) => parts.join(''))
  const sequence = fc.array(text, { minLength: 1, maxLength: 4 })
  const cuts = fc.array(fc.nat(2000), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(fc.array(sequence, { minLength: 1, maxLength: 3 }), cuts, async (messages, places) => {
      server.mails.length = 0
      const session = messages.map((chunks) => {
        const bdats = chunks.map(
          (chunk, at) => `BDAT ${chunk.length}${at === chunks.length - 1 ? ' LAST' : ''}\r\n${chunk}`,
        )
        return `MAIL FROM:<>\r\nRCPT TO:<${address}>\r\n${bdats.join('')}`
      })
      const octets = `HELO x\r\n${session.join('')}QUIT\r\n`
      const wire = await openWire(server.port)
      for (const [at, place] of [0, ...places.map((cut) => cut % octets.length).sort((a, b) => a - b)].entries()) {
        const next = [...places.map((cut) => cut % octets.length).sort((a, b) => a - b), octets.length][at]
        wire.send(octets.slice(place, next))
        await new Promise((resolve) => setImmediate(resolve))
      }
      const heard = (await wire.until('221 2.0.0 Bye\r\n')).toString()
      wire.destroy()
      const codes = messages.flatMap((chunks) => [
        '250 2.1.0',
        '250 2.1.5',
        ...chunks.slice(1).map(() => '250 2.0.0'),
        '250 2.6.0',
      ])
      assert.equal(heard.match(/^\d{3} \d\.\d\.\d/gmv), [...codes, '221 2.0.0'])
      assert.equal(
        server.mails.map(({ body }) => body.toString()),
        messages.map((chunks) => chunks.join('')),
      )
    }),
    { numRuns: 60 },
  )
  await server.close()
})

test(
  'the verdict waits for the record, and only the last chunk has it',
  withSmtp({ onMail: unconfirmed }, async (_, wire) => {
    await talk(wire, greeting + envelope)
    sendChunk(wire, 'one')
    await talk(wire, taken)
    sendChunk(wire, 'two', ' LAST')
    await talk(wire, 'S: 451 4.3.0 Could not be confirmed, try again later')
  }),
)

test(
  'an archive that fails early says so after the last chunk; the next message is taken',
  withSmtp(
    {
      onMail: (_, body) =>
        drain(body).then((octets) => (octets > 4 ? Promise.reject(new GatewayError('storage-full')) : undefined)),
    },
    async (_, wire) => {
      await talk(wire, greeting + envelope)
      sendChunk(wire, 'one')
      sendChunk(wire, 'two', ' LAST')
      await talk(wire, `${taken}\nS: 452 4.3.1 *${envelope}`)
      sendChunk(wire, 'one', ' LAST')
      await talk(wire, sealed)
    },
  ),
)

for (const [title, before, answer] of [
  ['before EHLO', 'S: 220 *', 'S: 503 5.5.1 Say EHLO first'],
  ['before MAIL', greeting, 'S: 503 5.5.1 MAIL is needed first'],
  [
    'after a recipient was refused',
    `${greeting}\nC: MAIL FROM:<>\nC: RCPT TO:<nobody@gateway.example>\nS: 250 *\nS: 550 *`,
    'S: 503 5.5.1 A valid RCPT is needed first',
  ],
] as const)
  test(
    `a chunk ${title} is read and dropped before it is refused; none of its octets is a command`,
    withSmtp({}, async ({ mails }, wire) => {
      await talk(wire, before)
      const evil = `RSET\r\nEHLO evil\r\nMAIL FROM:<>\r\nRCPT TO:<${address}>\r\nDATA\r\n.\r\n`
      wire.send(`BDAT ${evil.length} LAST\r\n${evil.slice(0, 20)}`)
      let heard = false
      const reply = wire.line().finally(() => (heard = true))
      await new Promise((resolve) => setTimeout(resolve, 30))
      assert.not(heard)
      wire.send(`${evil.slice(20)}NOOP\r\n`)
      assert.is(`S: ${await reply}`, answer)
      await talk(wire, 'S: 250 2.0.0 OK')
      assert.is(mails.length, 0)
    }),
  )

test(
  'what follows a refused chunk is no message, until the transaction begins anew',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(wire, `${greeting}\nC: MAIL FROM:<>\nC: RCPT TO:<nobody@gateway.example>\nS: 250 *\nS: 550 *`)
    sendChunk(wire, 'the first half')
    wire.send(`RCPT TO:<${address}>\r\nDATA\r\nBDAT 4 LAST\r\nhalf`)
    await talk(wire, `S: 503 5.5.1 A valid *\nS: 503 *\nS: 503 *\nS: 503 5.5.1 An earlier chunk *${envelope}`)
    sendChunk(wire, 'whole', ' LAST')
    await talk(wire, sealed)
    assert.is(mails.length, 1)
    assert.is(first(mails).body.toString(), 'whole')
  }),
)

test(
  'DATA amid chunks is refused and its lines are commands; the chunks go on',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(wire, greeting + envelope)
    sendChunk(wire, 'one')
    await talk(wire, `${taken}\nC: DATA\nC: MAIL FROM:<>\nC: RCPT TO:<${address}>\nC: STARTTLS`)
    await talk(wire, 'S: 503 *\nS: 503 *\nS: 503 *\nS: 503 *\nC: NOOP\nS: 250 2.0.0 OK')
    sendChunk(wire, 'two', ' LAST')
    await talk(wire, `${sealed}\nC: BDAT 0 LAST\nS: 503 5.5.1 MAIL is needed first`)
    assert.is(mails.length, 1)
    assert.is(first(mails).body.toString(), 'onetwo')
  }),
)

for (const [end, reply] of [
  ['RSET', '250 2.0.0 OK'],
  ['HELO again', '250 gateway.example'],
] as const)
  test(`${end} amid chunks leaves no message, and the next one is whole`, async () => {
    const { endings, onMail } = witness()
    const server = await startTestSmtp({ onMail })
    const wire = await openWire(server.port)
    await talk(wire, greeting + envelope)
    sendChunk(wire, 'given up')
    await talk(wire, `${taken}\nC: ${end}\nS: ${reply}${envelope}`)
    sendChunk(wire, 'whole', ' LAST')
    await talk(wire, `${sealed}\nC: QUIT\nS: 221 *`)
    assert.equal(endings, ['connection-lost', 5])
    wire.destroy()
    await server.close()
  })

test(
  'chunks that together are too large are read, refused with 552 and leave nothing; the rest is refused too',
  withSmtp({}, async ({ mails, refusals }, wire) => {
    await talk(wire, greeting + envelope)
    sendChunk(wire, Buffer.alloc(100_000, 'x'))
    await talk(wire, taken)
    sendChunk(wire, Buffer.alloc(300_000, 'NOOP\r\n'))
    sendChunk(wire, 'rest')
    sendChunk(wire, '', ' LAST')
    await talk(wire, `S: 552 5.3.4 Message is larger than this gateway accepts\nS: 503 *\nS: 503 *${envelope}`)
    sendChunk(wire, Buffer.alloc(100_001, 'x'), ' LAST')
    await talk(wire, `S: 552 5.3.4 *${envelope}`)
    sendChunk(wire, Buffer.alloc(100_000, 'x'), ' LAST')
    await talk(wire, sealed)
    assert.equal(refusals, ['127.0.0.1 too-large', '127.0.0.1 too-large'])
    assert.is(mails.length, 1)
    assert.is(first(mails).body.length, 100_000)
  }),
)

test(
  'a chunk far beyond the limit is not read to its end',
  withSmtp({}, async (_, wire) => {
    await talk(wire, greeting + envelope)
    wire.send('BDAT 99999999999999999999 LAST\r\n')
    for (let sent = 0; sent < 20; sent += 1) wire.send(Buffer.alloc(1_000_000, 'x'))
    await talk(wire, 'S: 552 5.3.4 *')
    await wire.closed()
  }),
)

for (const line of ['BDAT', 'BDAT LAST', 'BDAT -1', 'BDAT 0x10', 'BDAT 1e3', 'BDAT 5 FIRST', 'BDAT 5 LAST LAST'])
  test(
    `after ${line} nobody knows where the commands are: the connection is closed`,
    withSmtp({}, async ({ mails }, wire) => {
      await talk(wire, greeting + envelope)
      wire.send(`${line}\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<${address}>\r\nBDAT 1 LAST\r\nx`)
      await talk(wire, 'S: 501 5.5.4 Syntax: BDAT octets [LAST]\nS: 421 4.7.0 *')
      await wire.closed()
      assert.is(mails.length, 0)
    }),
  )

test('a connection that is lost inside a chunk, or between two, leaves no message', async () => {
  const { endings, onMail } = witness()
  const server = await startTestSmtp({ onMail })
  for (const end of ['BDAT 9\r\nhalf', 'BDAT 4\r\nhalf', 'BDAT 4\r\nhalfBDAT 9 LAST\r\nhalf']) {
    const lost = connect(server.port, '127.0.0.1')
    lost.resume().write(`EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<${address}>\r\n`)
    const before = server.ends.length
    lost.end(end)
    await until(() => server.ends.length > before)
    lost.destroy()
  }
  await until(() => endings.length === 3)
  assert.equal(endings, ['connection-lost', 'connection-lost', 'connection-lost'])
  assert.equal(
    server.ends.map(({ outcome }) => outcome),
    ['lost', 'lost', 'lost'],
  )
  await server.close()
})

const slow = slowArchive()
test(
  'a slow archive slows a peer down that sends many chunks: little is held in memory',
  withSmtp({ limits: { messageSize: 64_000_000 }, onMail: slow.onMail }, async (server) => {
    const before = `EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<${address}>\r\n`
    const octets = 8192
    const piece = Buffer.concat([Buffer.from(`BDAT ${octets}\r\n`), Buffer.alloc(octets, 'x')])
    await isSlowedDown(server, slow, { before, piece, octets, end: 'BDAT 0 LAST\r\n' })
  }),
)

test(
  'a segment of very many chunks is taken in good time',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(wire, greeting + envelope)
    const began = performance.now()
    wire.send(`${'BDAT 1\r\nx'.repeat(10_000)}BDAT 0 LAST\r\n`)
    await wire.until('250 2.6.0 ')
    assert.is(first(mails).body.length, 10_000)
    // Quadratic, it would be a minute.
    assert.ok(performance.now() - began < 30_000)
  }),
)

test(
  'BINARYMIME is not offered, and refused',
  withSmtp({}, async (_, wire) => {
    await talk(wire, `${greeting}\nC: MAIL FROM:<> BODY=BINARYMIME\nS: 501 5.5.4 *`)
  }),
)

test.run()
