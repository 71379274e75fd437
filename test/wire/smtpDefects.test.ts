import { connect } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openWire } from '../support/wire.ts'
import { until } from '../support/until.ts'
import { address, drain, first, greeting, startTestSmtp, talk, transaction, withSmtp } from './smtpTestServer.ts'

// What `smtp-server` would do otherwise, one test for each.

for (const recipient of [
  '"of the firm"@customer.example',
  '"o\\f the firm"@customer.example',
  '"journal"@customer.example',
  'JOURNAL@CUSTOMER.EXAMPLE',
  'archive@[192.0.2.7]',
  'archive@[IPv6:2001:db8::7]',
  'archiv@xn--mnchen-3ya.example',
  '@one.example,@two.example:journal@customer.example',
])
  test(
    `the recipient <${recipient}> is understood`,
    withSmtp({}, async (_, wire) => {
      await talk(
        wire,
        `${greeting}\nC: MAIL FROM:<a@b>\nS: 250 *\nC: RCPT TO:<${recipient}>\nS: 250 2.1.5 Recipient OK`,
      )
    }),
  )

for (const [reversePath, kept = reversePath] of [
  ['"quoted local"@example.com'],
  ['"with \\" escape"@example.com'],
  ['"with @ and >"@example.com'],
  ['user.@example.com'],
  ['.user@example.com'],
  ['us..er@example.com'],
  ['user@under_score.example'],
  ['user@[192.0.2.1]'],
  ['user@[IPv6:2001:db8::1]'],
  ['user@xn--mnchen-3ya.example'],
  ['user+2Bxtext=tag@example.com'],
  ['SRS0=Abc=XY=Example.com=User@Forwarder.Example'],
  [`${'long'.repeat(30)}@example.com`],
  ['root'],
  [''],
  ['@one.example,@two.example:user@example.com', 'user@example.com'],
] as const)
  test(
    `the reverse-path <${reversePath.slice(0, 50)}> is accepted, and kept as it was typed`,
    withSmtp({}, async ({ mails }, wire) => {
      await talk(wire, `${greeting}\nC: MAIL FROM:<${reversePath}>\nC: RCPT TO:<${address}>\nC: DATA\nC: x\nC: .`)
      await talk(wire, 'S: 250 *\nS: 250 *\nS: 354 *\nS: 250 2.6.0 *')
      assert.is(first(mails).trace.split('\r\n')[0], `Return-Path: <${kept}>`)
    }),
  )

test(
  'a dot after a bare LF is not lost',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(wire, greeting + transaction)
    wire.send('one\n.two\n..three\r\n.\r\n')
    await talk(wire, 'S: 250 2.6.0 *')
    assert.is(first(mails).body.toString(), 'one\n.two\n..three\r\n')
  }),
)

test(
  'a body of stuffed dots is read at a sensible speed',
  withSmtp({ limits: { messageSize: 16_000_000 } }, async ({ mails }, wire) => {
    const work = async (begin: string, line: string) => {
      await talk(wire, begin)
      const before = process.cpuUsage()
      wire.send(Buffer.alloc(16_000_000, line))
      wire.send('.\r\n')
      await talk(wire, 'S: 250 2.6.0 *')
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000
    }
    const plain = await work(greeting.replace('100000', '16000000') + transaction, 'xx\r\n')
    const dots = await work(transaction, '..\r\n')
    assert.equal(
      mails.map(({ body }) => body.length),
      [16_000_000, 12_000_000],
    )
    // At one megabyte a second it would be sixteen seconds.
    assert.ok(dots < 6 * plain + 1000, `${dots} ms of processor time, ${plain} ms without dots`)
  }),
)

test('the greeting comes at once', async () => {
  const server = await startTestSmtp()
  const waits: number[] = []
  for (let tries = 0; tries < 8; tries += 1) {
    const began = performance.now()
    const wire = await openWire(server.port)
    await wire.line()
    waits.push(performance.now() - began)
    wire.destroy()
  }
  await server.close()
  // One of eight is enough, on a busy machine: each would wait 100 ms.
  assert.ok(Math.min(...waits) < 90, waits.join())
})

test(
  'a peer may be silent for as long as configured, then it hears 421',
  withSmtp({ limits: { smtpIdle: 3 } }, async ({ sessions, ends }, wire) => {
    await talk(wire, greeting)
    await talk(wire, `C: MAIL FROM:<a@b>\nC: RCPT TO:<${address}>\nS: 250 *\nS: 250 *`)
    await talk(wire, 'S: 421 4.4.2 Nothing was heard for too long')
    await wire.closed()
    await until(() => ends.length > 0)
    assert.equal(sessions, ['opened smtp', 'closed timeout'])
  }),
)

test(
  'a peer that waits for the archive is not idle',
  withSmtp(
    {
      limits: { smtpIdle: 3 },
      onMail: async (_, body) => {
        await drain(body)
        await new Promise((resolve) => setTimeout(resolve, 3500))
      },
    },
    async (_, wire) => {
      await talk(wire, `${greeting}${transaction}\nC: x\nC: .\nS: 250 2.6.0 *`)
    },
  ),
)

test(
  'a peer that does not read what it is answered is idle, however much it sends',
  withSmtp({ limits: { smtpIdle: 2 } }, async ({ port, sessions, ends }) => {
    const deaf = connect(port, '127.0.0.1')
    deaf.on('error', () => undefined).pause()
    deaf.write(`EHLO deaf.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<${address}>\r\n`)
    await until(() => sessions.length > 0)
    deaf.write('EHLO deaf.example\r\n'.repeat(200_000))
    await until(() => ends.length > 0)
    assert.equal(sessions, ['opened smtp', 'closed timeout'])
    deaf.destroy()
  }),
)

test(
  'joke commands are unknown',
  withSmtp({}, async (_, wire) => {
    await talk(wire, `${greeting}\nC: WIZ\nC: SHELL\nC: KILL\nS: 500 *\nS: 500 *\nS: 500 *`)
  }),
)

for (const [title, line] of [
  ['a bare LF', 'NOOP\nMAIL FROM:<a@b>'],
  ['a bare CR', 'NOOP\rNOOP'],
  ['a NUL', 'NOOP\0'],
  ['octets that are not UTF-8', Buffer.from('NOOP \xff', 'latin1')],
] as const)
  test(
    `${title} is part of a command line, which then is none`,
    withSmtp({}, async (_, wire) => {
      await talk(wire, greeting)
      wire.send(line)
      wire.send('\r\n')
      await talk(wire, 'S: 500 5.5.2 *\nC: NOOP\nS: 250 2.0.0 OK')
    }),
  )

test(
  'a line that is too long is answered once, at its end',
  withSmtp({}, async (_, wire) => {
    await talk(wire, greeting)
    for (let sent = 0; sent < 10; sent += 1) wire.send('x'.repeat(10_000))
    wire.send('\r\nNOOP\r\n')
    await talk(wire, 'S: 500 5.5.2 Line too long\nS: 250 2.0.0 OK')
  }),
)

test(
  'a line without end is read to a bound, then the connection is closed',
  withSmtp({}, async (_, wire) => {
    await talk(wire, greeting)
    for (let sent = 0; sent < 40; sent += 1) wire.send('x'.repeat(64 * 1024))
    await talk(wire, 'S: 421 4.7.0 *')
    await wire.closed()
  }),
)

test.run()
