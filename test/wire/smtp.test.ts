import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { isMessageId } from '../../src/core/ids.ts'
import type { Mailbox } from '../../src/smtp/recipient.ts'
import { openWire } from '../support/wire.ts'
import {
  address,
  first,
  greeting,
  mailboxId,
  otherAddress,
  suspendedAddress,
  talk,
  transaction,
  withSmtp,
} from './smtpTestServer.ts'

test(
  'a message comes in, octet for octet behind its trace, and is acknowledged with its id',
  withSmtp({}, async ({ mails, sessions }, wire) => {
    await talk(wire, greeting + transaction)
    wire.send('Subject: x\r\n\r\nbare\nlf, bare\rcr, \0 and \xe4\r\n..\r\n...\r\n.\r\n')
    const acknowledgement = await wire.line()
    await talk(wire, 'C: QUIT\nS: 221 2.0.0 Bye')
    await wire.closed()
    const mail = first(mails)
    assert.is(mail.body.toString('latin1'), 'Subject: x\r\n\r\nbare\nlf, bare\rcr, \0 and \xc3\xa4\r\n.\r\n..\r\n')
    const { messageId, sessionId } = mail.delivery
    assert.ok(isMessageId(messageId))
    assert.is(acknowledgement, `250 2.6.0 ${messageId} sealed and recorded`)
    assert.is(mail.delivery.mailboxId, mailboxId)
    assert.is(
      mail.trace.replace(/\t[A-Z].*\r\n$/, '\t(date)\r\n'),
      `Return-Path: <sender@example.com>\r\nDelivered-To: ${address}\r\n` +
        `Received: from client.example ([127.0.0.1])\r\n\tby gateway.example with ESMTP\r\n` +
        `\tid ${messageId} (session ${sessionId})\r\n\tfor <${address}>;\r\n\t(date)\r\n`,
    )
    assert.equal(sessions, ['opened smtp', 'closed quit'])
  }),
)

test(
  'commands and a whole message may be pipelined in one segment, after the message too',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(
      wire,
      `${greeting}
      C: MAIL FROM:<>
      C: RCPT TO:<${address}>
      C: DATA
      C: one
      C: .
      C: MAIL FROM:<>
      C: RCPT TO:<${address}>
      C: DATA
      C: ..two
      C: .
      C: NOOP
      C: QUIT
      S: 250 2.1.0 Sender OK
      S: 250 2.1.5 Recipient OK
      S: 354 End data with <CRLF>.<CRLF>
      S: 250 2.6.0 * sealed and recorded
      S: 250 2.1.0 Sender OK
      S: 250 2.1.5 Recipient OK
      S: 354 End data with <CRLF>.<CRLF>
      S: 250 2.6.0 * sealed and recorded
      S: 250 2.0.0 OK
      S: 221 2.0.0 Bye`,
    )
    assert.equal(
      mails.map(({ body }) => body.toString()),
      ['one\r\n', '.two\r\n'],
    )
    assert.ok(mails.every(({ trace }) => trace.startsWith('Return-Path: <>\r\n')))
  }),
)

for (const [title, body, content] of [
  ['an empty message', '.\r\n', ''],
  ['a message of lone dots', '..\r\n..\r\n.\r\n', '.\r\n.\r\n'],
  ['a message without a header', '\r\nhello\r\n.\r\n', '\r\nhello\r\n'],
  ['a line of 90,000 octets', `${'x'.repeat(90_000)}\r\n.\r\n`, `${'x'.repeat(90_000)}\r\n`],
] as const)
  test(
    `${title} is received as it is`,
    withSmtp({}, async ({ mails }, wire) => {
      await talk(wire, greeting + transaction)
      wire.send(body)
      await talk(wire, 'S: 250 2.6.0 * sealed and recorded')
      assert.is(first(mails).body.toString(), content)
    }),
  )

test(
  'a message sent one octet at a time is the same message',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(wire, greeting)
    const session = `MAIL FROM:<a@b>\r\nRCPT TO:<${address}>\r\nDATA\r\na\r\n..b\r\n.\r\nQUIT\r\n`
    for (const octet of session.split('')) {
      wire.send(octet)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await wire.until('221 2.0.0 Bye\r\n')
    assert.is(first(mails).body.toString(), 'a\r\n.b\r\n')
  }),
)

test(
  'a transaction has one mailbox: another one gets 452 and is sent apart, the same one again is fine',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(
      wire,
      `${greeting}
      C: MAIL FROM:<sender@example.com>
      S: 250 2.1.0 Sender OK
      C: RCPT TO:<${address}>
      S: 250 2.1.5 Recipient OK
      C: RCPT TO:<${otherAddress}>
      S: 452 4.5.3 One mailbox per message, send to this one apart
      C: RCPT TO:<Journal@Customer.example>
      S: 250 2.1.5 Recipient OK
      C: DATA
      S: 354 End data with <CRLF>.<CRLF>
      C: hello
      C: .
      S: 250 2.6.0 * sealed and recorded`,
    )
    assert.is(first(mails).delivery.mailboxId, mailboxId)
    assert.not.match(first(mails).trace, /for </)
  }),
)

test(
  'unknown, foreign and suspended recipients are refused, and counted by source',
  withSmtp({ postmaster: undefined }, async ({ refusals, mails, sessions }, wire) => {
    await talk(
      wire,
      `${greeting}
      C: MAIL FROM:<sender@example.com>
      C: RCPT TO:<nobody@gateway.example>
      C: RCPT TO:<victim@elsewhere.example>
      C: RCPT TO:<${suspendedAddress}>
      C: RCPT TO:<postmaster>
      C: RCPT TO:<a b>
      C: RCPT TO:<a..b@gateway.example>
      C: DATA
      S: 250 2.1.0 Sender OK
      S: 550 5.1.1 No such mailbox here
      S: 550 5.7.1 Relaying is not permitted
      S: 450 4.2.1 Mailbox is suspended, try again later
      S: 450 4.2.1 No mailbox is set for postmaster, try again later
      S: 501 5.5.4 Syntax: RCPT TO:<address>
      S: 501 5.1.3 The recipient address is not valid
      S: 503 5.5.1 A valid RCPT is needed first`,
    )
    const from = (kind: string) => `127.0.0.1 ${kind}`
    assert.equal(
      refusals,
      ['unknown-recipient', 'relay', 'suspended', 'unknown-recipient', 'bad-command', 'bad-command'].map(from),
    )
    assert.equal([mails, sessions], [[], []])
  }),
)

for (const postmaster of ['postmaster', 'PostMaster', 'Postmaster@Gateway.Example'])
  test(
    `mail for <${postmaster}> goes to the configured mailbox`,
    withSmtp({}, async ({ mails }, wire) => {
      await talk(
        wire,
        `${greeting}
        C: MAIL FROM:<>
        C: RCPT TO:<${postmaster}>
        C: DATA
        C: help
        C: .
        S: 250 2.1.0 Sender OK
        S: 250 2.1.5 Recipient OK
        S: 354 End data with <CRLF>.<CRLF>
        S: 250 2.6.0 * sealed and recorded`,
      )
      assert.is(first(mails).delivery.mailboxId, mailboxId)
    }),
  )

test(
  'when recipients cannot be looked up the sender is asked to come again',
  withSmtp(
    {
      resolve: () => {
        throw new Error('the views are away')
      },
    },
    async (_, wire) => {
      await talk(
        wire,
        `${greeting}
        C: MAIL FROM:<>
        C: RCPT TO:<${address}>
        S: 250 2.1.0 Sender OK
        S: 451 4.3.0 Recipients cannot be looked up, try again later`,
      )
    },
  ),
)

test('where others make mailboxes too, an address is refused for good only after a look at what there is now', async () => {
  const made = new Map<string, Mailbox>()
  let looks = 0
  const current = async () => {
    await delay(20)
    looks++
    made.set('new@gateway.example', { mailboxId, recipient: 'age1', generation: 1, suspended: false })
  }
  const resolve = (wanted: string) => made.get(wanted)
  await withSmtp({ resolve, current }, async (_, wire) => {
    await talk(
      wire,
      `${greeting}
        C: MAIL FROM:<>
        C: RCPT TO:<new@gateway.example>
        C: RCPT TO:<nobody@gateway.example>
        C: RCPT TO:<somebody@elsewhere.example>
        C: NOOP
        S: 250 2.1.0 Sender OK
        S: 250 2.1.5 Recipient OK
        S: 550 5.1.1 *
        S: 550 5.7.1 *
        S: 250 2.0.0 OK`,
    )
    assert.is(looks, 3)
  })()
})

test(
  'when it cannot be known what there is now, nobody is refused for good',
  withSmtp(
    { resolve: () => undefined, current: () => Promise.reject(new Error('the log is away')) },
    async (_, wire) => {
      await talk(
        wire,
        `${greeting}
        C: MAIL FROM:<>
        C: RCPT TO:<nobody@gateway.example>
        S: 250 2.1.0 Sender OK
        S: 451 4.3.0 Recipients cannot be looked up, try again later`,
      )
    },
  ),
)

test('a peer that leaves during that look ends its session', async () => {
  const gone = Promise.withResolvers<undefined>()
  await withSmtp({ resolve: () => undefined, current: () => gone.promise.then(() => undefined) }, async (_, wire) => {
    await talk(wire, greeting)
    wire.send('MAIL FROM:<>\r\nRCPT TO:<nobody@gateway.example>\r\n')
    await delay(30)
    wire.destroy()
    await delay(30)
    gone.resolve(undefined)
    await delay(30)
  })()
})

test(
  'the parameters of MAIL: what is offered is taken, what is not is refused with 555',
  withSmtp({}, async (_, wire) => {
    await talk(wire, greeting)
    for (const [parameters, answer] of [
      ['SIZE=100000 BODY=8BITMIME SMTPUTF8', '250 2.1.0'],
      ['size=1 body=7bit', '250 2.1.0'],
      ['SIZE=100001', '552 5.3.4'],
      ['SIZE=99999999999999999999', '552 5.3.4'],
      ['SIZE=x', '501 5.5.4'],
      ['SIZE', '501 5.5.4'],
      ['SIZE=1 SIZE=1', '501 5.5.4'],
      ['BODY=BINARYMIME', '501 5.5.4'],
      ['SMTPUTF8=1', '501 5.5.4'],
      ['RET=HDRS', '555 5.5.4'],
      ['ENVID=1', '555 5.5.4'],
      ['AUTH=<>', '250 2.1.0'],
      ['AUTH', '501 5.5.4'],
      ['constructor=1', '555 5.5.4'],
    ] as const)
      await talk(
        wire,
        `C: MAIL FROM:<a@b> ${parameters}
        S: ${answer} *
        C: RSET
        S: 250 2.0.0 OK`,
      )
    await talk(wire, `C: MAIL FROM:<a@b>\nS: 250 *\nC: RCPT TO:<${address}> NOTIFY=NEVER\nS: 555 5.5.4 *`)
  }),
)

test(
  'SMTPUTF8 decides whether addresses may be in UTF-8, and names the protocol in the trace',
  withSmtp({}, async ({ mails }, wire) => {
    await talk(
      wire,
      `${greeting}
      C: MAIL FROM:<jürgen@example.com>
      S: 553 5.6.7 Such an address needs SMTPUTF8
      C: MAIL FROM:<a@example.com>
      S: 250 *
      C: RCPT TO:<archiv@münchen.example>
      S: 553 5.6.7 Such an address needs SMTPUTF8
      C: RSET
      S: 250 *
      C: MAIL FROM:<jürgen@example.com> SMTPUTF8
      S: 250 *
      C: RCPT TO:<Archiv@München.example>
      S: 250 2.1.5 Recipient OK
      C: DATA
      S: 354 *
      C: hello
      C: .
      S: 250 2.6.0 *`,
    )
    assert.match(first(mails).trace, /^Return-Path: <jürgen@example\.com>\r\n[^]* with UTF8SMTP\r\n/)
  }),
)

test(
  'commands out of order are told what is missing',
  withSmtp({}, async (_, wire) => {
    await talk(
      wire,
      `S: 220 *
      C: MAIL FROM:<a@b>
      S: 503 5.5.1 Say EHLO first
      C: DATA
      S: 503 5.5.1 Say EHLO first
      C: HELO client.example
      S: 250 gateway.example
      C: RCPT TO:<${address}>
      S: 503 5.5.1 MAIL is needed first
      C: MAIL FROM:<a@b>
      S: 250 *
      C: MAIL FROM:<a@b>
      S: 503 5.5.1 Bad sequence of commands
      C: DATA
      S: 503 5.5.1 A valid RCPT is needed first`,
    )
  }),
)

test(
  'VRFY, HELP, EXPN and what is unknown or malformed get an answer and nothing more',
  withSmtp({}, async (_, wire) => {
    await talk(
      wire,
      `${greeting}
      C: VRFY somebody
      S: 252 2.5.0 *
      C: HELP
      S: 214 2.0.0 *
      C: NOOP whatever
      S: 250 2.0.0 OK
      C: EXPN list
      S: 502 5.5.1 *
      C: ETRN list
      S: 502 5.5.1 *
      C: WIZ
      S: 500 5.5.1 *
      C: XCLIENT ADDR=192.0.2.1
      S: 500 5.5.1 *
      C: DATA now
      S: 501 5.5.4 *
      C: MAIL TO:<a@b>
      S: 501 5.5.4 *
      C: EHLO
      S: 501 5.5.4 *`,
    )
  }),
)

test(
  'too many commands that make no sense end the session',
  withSmtp({ limits: { badCommands: 2 } }, async ({ refusals }, wire) => {
    await talk(wire, `${greeting}\nC: A\nC: B\nC: C\nC: D\nS: 500 *\nS: 500 *\nS: 500 *\nS: 421 4.7.0 *`)
    await wire.closed()
    assert.is(refusals.length, 3)
  }),
)

test(
  'commands that are about no message, in a row without end, end the session; with messages in between they do not',
  withSmtp({ limits: { idleCommands: 4, badCommands: 1 } }, async ({ mails, refusals }, wire) => {
    const idle = 'C: NOOP\nC: RSET\nC: VRFY x\nS: 250 *\nS: 250 *\nS: 252 *'
    await talk(wire, greeting)
    for (let count = 0; count < 5; count++) await talk(wire, `${idle}${transaction}\nC: x\nC: .\nS: 250 2.6.0 *`)
    await talk(
      wire,
      `${idle}\nC: EHLO x\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250 *`,
    )
    await talk(wire, 'C: HELP\nC: NOOP\nC: NOOP\nS: 214 *\nS: 250 *\nS: 421 4.7.0 *')
    await wire.closed()
    assert.equal([mails.length, refusals], [5, ['127.0.0.1 bad-command', '127.0.0.1 bad-command']])
  }),
)

test(
  'an HTTP request is turned away at once, its body is no command',
  withSmtp({}, async ({ mails }, wire) => {
    wire.send(
      `POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<${address}>\r\nDATA\r\nx\r\n.\r\n`,
    )
    await talk(wire, 'S: 220 *\nS: 421 4.7.0 *')
    await wire.closed()
    assert.is(mails.length, 0)
  }),
)

test(
  'AUTH is refused before TLS and after, and what follows it is not a dialogue; no credential reaches a log',
  withSmtp({}, async ({ logged, refusals }, wire) => {
    const secret = Buffer.from('\0user\0hunter2').toString('base64')
    await talk(
      wire,
      `${greeting}
      C: AUTH PLAIN ${secret}
      S: 502 5.5.1 Authentication is not offered here
      C: AUTH LOGIN
      C: ${secret}
      S: 502 5.5.1 Authentication is not offered here
      S: 500 5.5.1 Command not recognized
      C: NOOP
      S: 250 2.0.0 OK`,
    )
    assert.equal(refusals, ['127.0.0.1 auth', '127.0.0.1 auth', '127.0.0.1 bad-command'])
    assert.not(JSON.stringify(logged).includes(secret))
  }),
)

test(
  'what a peer typed shows in no log and in no counter',
  withSmtp({ onMail: () => Promise.reject(new Error('broken')) }, async ({ logged, refusals, sessions }, wire) => {
    await talk(wire, `${greeting}${transaction}\nC: topsecret\nC: .\nS: 451 4.3.0 *\nC: QUIT\nS: 221 *`)
    await wire.closed()
    const known = JSON.stringify([logged, refusals, sessions])
    for (const word of ['topsecret', 'sender@example', 'client.example']) assert.not(known.includes(word), word)
  }),
)

test('more connections than allowed are told to come back later', async () => {
  const run = withSmtp({ limits: { smtpSessions: 1 } }, async ({ port, refusals }, wire) => {
    await talk(wire, greeting)
    const second = await openWire(port)
    await talk(second, 'S: 421 4.3.2 Too many connections, try again later')
    await second.closed()
    await talk(wire, 'C: QUIT\nS: 221 *')
    await wire.closed()
    const third = await openWire(port)
    await talk(third, 'S: 220 *')
    third.destroy()
    assert.equal(refusals, ['127.0.0.1 too-many-sessions'])
  })
  await run()
})

test.run()
