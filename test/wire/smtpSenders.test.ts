import { once } from 'node:events'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { anySender, type SenderPolicy } from '../../src/core/senderPolicy.ts'
import { memorySenders } from '../support/memorySenders.ts'
import { smtpClient, type SmtpClient } from '../support/smtpClient.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { openWire } from '../support/wire.ts'
import { until } from '../support/until.ts'
import { address, addressBook, first, mailboxId, otherAddress, startTestSmtp } from './smtpTestServer.ts'

const test = suite('smtp senders')
const mail = Buffer.from('Subject: x\r\n\r\nhello\r\n')
const authority = await testAuthority()
const stranger = await testAuthority('Another authority')
const named = (name: string) => ({ names: [name], usage: 'client' }) as const
const certificates = {
  right: await authority.issue(named('mail.example.com')),
  wildcard: await authority.issue(named('*.example.org')),
  strange: await stranger.issue(named('mail.example.com')),
  server: await authority.issue({ names: ['mail.example.com'] }),
  expired: await authority.issue({ ...named('mail.example.com'), notAfter: new Date(Date.now() - 1000) }),
}

/** Stands still: how long a try takes is not to count as a wait before the next. */
const now = new Date()

type Asked = { readonly listener?: Partial<SenderPolicy>; readonly mailbox?: Partial<SenderPolicy> }

/** A server that asks this of everybody, and of who sends to the first mailbox. */
const startAsking = async (asked: Asked) => {
  const tokens = memorySenders({ clock: { now: () => now } })
  let { listener, mailbox } = asked
  const server = await startTestSmtp({
    senders: tokens.senders,
    senderPolicy: () => ({ ...anySender, ...listener }),
    clientAuthorities: () => [authority.cert],
    resolve: (wanted) => {
      const found = addressBook.get(wanted)
      return found?.mailboxId === mailboxId ? { ...found, senderPolicy: { ...anySender, ...mailbox } } : found
    },
  })
  const { senders, cause } = tokens
  const policyRefusals = () => server.refusals.map((one) => one.split(' ').at(-1))
  const ask = (more: Asked) => ({ listener, mailbox } = { listener, mailbox, ...more })
  return { server, ...server, senders, cause, tokens, policyRefusals, ask }
}
type Asking = Awaited<ReturnType<typeof startAsking>>

const asking = (asked: Asked, run: (server: Asking) => Promise<void>) => async () => {
  const asking = await startAsking(asked)
  try {
    await run(asking)
  } finally {
    await asking.server.close()
    asking.tokens.close()
  }
}

const using = async <T>(client: SmtpClient, use: (client: SmtpClient) => Promise<T>): Promise<T> => {
  try {
    return await use(client)
  } finally {
    client.wire.destroy()
  }
}
const codes = (answer: string) => answer.split(' ').slice(0, 2).join(' ')
const received = '250 2.6.0'
const sent = async (port: number, options: Parameters<typeof smtpClient>[1] = {}, to = address) =>
  codes(await using(await smtpClient(port, options), (client) => client.deliver(to, mail)))

for (const refusal of ['temporary', 'permanent'] as const) {
  const code = refusal === 'temporary' ? 450 : 550
  const first = refusal === 'temporary' ? 450 : 530

  test(
    `a listener takes mail from its networks, and refuses others with a ${refusal} reply`,
    asking({ listener: { networks: ['127.0.0.2/32'], refusal } }, async ({ port, mails, policyRefusals }) => {
      assert.is(await sent(port, { from: '127.0.0.2' }), received)
      assert.is(await sent(port), `${code} ${String(code)[0]}.7.1`)
      assert.equal([mails.length, policyRefusals()], [1, ['policy-network']])
    }),
  )

  test(
    `a listener that asks for TLS takes mail under it, and refuses what comes in clear with a ${refusal} reply`,
    asking({ listener: { requires: ['tls'], refusal } }, async ({ port, tlsPort, mails, policyRefusals }) => {
      assert.is(await sent(port), `${first} ${String(first)[0]}.7.0`)
      assert.is(await sent(port, { starttls: true }), received)
      assert.is(await sent(tlsPort, { tls: true }), received)
      assert.equal([mails.length, policyRefusals()], [2, ['policy-tls']])
    }),
  )

  test(
    `a mailbox refuses a recipient with a ${refusal} reply and leaves the others of the transaction as they are`,
    asking({ mailbox: { networks: ['192.0.2.0/24'], refusal } }, async ({ port, mails, policyRefusals }) => {
      const answers = await using(await smtpClient(port), async (client) => {
        const lines = ['MAIL FROM:<a@b.example>', `RCPT TO:<${address}>`, `RCPT TO:<${otherAddress}>`, 'DATA']
        const heard = []
        for (const line of lines) heard.push(codes(await client.command(line)))
        return [...heard, codes(await client.command('Subject: x\r\n\r\nhello\r\n.'))]
      })
      assert.equal(answers, ['250 2.1.0', `${code} ${String(code)[0]}.7.1`, '250 2.1.5', '354 End', received])
      assert.not.equal(mails[0]?.delivery.mailboxId, mailboxId)
      assert.equal(policyRefusals(), ['policy-network'])
    }),
  )
}

const strict = { requires: ['certificate'], refusal: 'permanent' } as const
const noCertificate = '530 5.7.0'
const ways = (server: Asking) =>
  [
    [server.port, { starttls: true }],
    [server.tlsPort, { tls: true }],
  ] as const

for (const asks of ['listener', 'mailbox'] as const) {
  test(
    `a ${asks} that asks for a client certificate takes one that the authorities vouch for, and no other`,
    asking({ [asks]: strict }, async (server) => {
      for (const [port, way] of ways(server)) {
        for (const kind of ['right', 'wildcard'] as const)
          assert.is(await sent(port, { ...way, client: certificates[kind] }), received, kind)
        for (const kind of ['strange', 'server', 'expired'] as const)
          assert.is(await sent(port, { ...way, client: certificates[kind] }), noCertificate, kind)
        assert.is(await sent(port, way), noCertificate)
      }
      assert.is(await sent(server.port), noCertificate)
      assert.equal([...new Set(server.policyRefusals())].toSorted(), ['policy-certificate', 'policy-tls'])
    }),
  )

  test(
    `a ${asks} that names hosts takes a certificate for one of them, wildcards of certificates as usual`,
    asking({ [asks]: { ...anySender, certificateNames: ['mail.example.com', 'out.example.org'] } }, async (server) => {
      for (const [port, way] of ways(server)) {
        for (const kind of ['right', 'wildcard'] as const)
          assert.is(await sent(port, { ...way, client: certificates[kind] }), received, kind)
        const other = await authority.issue(named('mail.example.net'))
        assert.is(await sent(port, { ...way, client: other }), '450 4.7.0')
        assert.is(await sent(port, way), '450 4.7.0')
      }
    }),
  )
}

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
  test(
    `who comes with the ${maxVersion} session of a client with a certificate has shown none`,
    asking({ listener: strict }, async ({ tlsPort }) => {
      const client = { ...certificates.right, maxVersion }
      assert.is(await sent(tlsPort, { tls: true, client }), received)
      const session = await sessionOf(tlsPort, client)
      assert.is(await sent(tlsPort, { tls: true, client: { session, maxVersion } }), noCertificate)
    }),
  )

/** A session that a client may try to resume; under TLS 1.3 it comes behind the handshake, before the greeting. */
const sessionOf = async (port: number, client: ConnectionOptions) => {
  const socket = connectTls({ ...client, port, host: '127.0.0.1', rejectUnauthorized: false })
  let given: Buffer | undefined
  socket.on('session', (session: Buffer) => (given = session))
  await once(socket, 'data')
  const session = given ?? socket.getSession()
  socket.destroy()
  assert.ok(session)
  return session
}

const base64 = (...words: readonly string[]) => Buffer.from(words.join('\0')).toString('base64')

test(
  'a sender with a token sends: PLAIN and LOGIN, with and without an initial response; the record says who it was',
  asking({ mailbox: { requires: ['token'] } }, async ({ port, mails, senders, cause, ends, logged }) => {
    const { senderId, token } = await senders.issue({ name: 'mail server', mailboxes: [mailboxId] }, cause)
    const secret = token.reveal()
    for (const lines of [
      [`AUTH PLAIN ${base64('', senderId, secret)}`],
      [`auth plain`, base64('', senderId, secret)],
      ['AUTH LOGIN', base64(senderId), base64(secret)],
      [`AUTH LOGIN ${base64(senderId)}`, base64(secret)],
    ]) {
      const answers = await using(await smtpClient(port, { starttls: true }), async (client) => {
        const heard = []
        for (const line of lines) heard.push(codes(await client.command(line)).slice(0, 3))
        return [...heard, codes(await client.deliver(address, mail))]
      })
      assert.equal(answers, [...lines.slice(1).map(() => '334'), '235', received])
    }
    assert.is(mails.length, 4)
    for (const { delivery, trace } of mails) {
      assert.is(delivery.senderId, senderId)
      assert.match(trace, /with ESMTPSA \(TLS/)
      assert.not.ok(trace.includes(senderId))
    }
    await until(() => ends.length === 4)
    const told = JSON.stringify([ends, logged])
    for (const word of [secret, base64(secret), base64('', senderId, secret)]) assert.not.ok(told.includes(word))
    assert.match(ends[0]?.transcript ?? '', /authenticate\.done snd-[0-9a-f]{16} > open\.helloed 235\/2\.7\.0/)
  }),
)

test(
  'what is pipelined behind AUTH waits for its outcome, and responses are no commands',
  asking({}, async ({ tlsPort, senders, cause, mails }) => {
    const { senderId, token } = await senders.issue({ name: undefined, mailboxes: null }, cause)
    const wire = await openWire(tlsPort, { tls: true })
    await wire.line()
    const login = `AUTH LOGIN\r\n${base64(senderId)}\r\n${base64(token.reveal())}\r\n`
    wire.send(`HELO x\r\n${login}MAIL FROM:<>\r\nRCPT TO:<${address}>\r\nDATA\r\n`)
    const heard: string[] = []
    for (let count = 0; count < 7; count++) heard.push((await wire.line()).slice(0, 3))
    assert.equal(heard, ['250', '334', '334', '235', '250', '250', '354'])
    wire.send('x\r\n.\r\n')
    assert.match(await wire.line(), /^250 2\.6\.0 /)
    assert.is(first(mails).delivery.senderId, senderId)
    wire.destroy()
  }),
)

test(
  'AUTH is offered only under TLS, and only where somebody has a token; in clear it is not read',
  asking({}, async ({ port, tlsPort, senders, cause }) => {
    const offered = async (at: number, tls: boolean) => {
      const wire = await openWire(at, { tls })
      await wire.line()
      wire.send('EHLO client.example\r\n')
      const heard = (await wire.until('250 ENHANCEDSTATUSCODES\r\n')).toString()
      wire.send(`AUTH PLAIN ${base64('', 'x', 'y')}\r\n`)
      const answer = codes(await wire.line())
      wire.destroy()
      return [heard.includes('250-AUTH PLAIN LOGIN\r\n'), answer]
    }
    assert.equal([await offered(port, false), await offered(tlsPort, true)], [[false, '502 5.5.1'], [false, '502 5.5.1']]) // prettier-ignore
    await senders.issue({ name: undefined, mailboxes: null }, cause)
    assert.equal([await offered(port, false), await offered(tlsPort, true)], [[false, '538 5.7.11'], [true, '535 5.7.8']]) // prettier-ignore
  }),
)

test(
  'a wrong token is 535, three of them end the session, and they are counted without a name',
  asking({}, async ({ tlsPort, senders, cause, refusals, tokens }) => {
    const { senderId } = await senders.issue({ name: undefined, mailboxes: null }, cause)
    const client = await smtpClient(tlsPort, { tls: true })
    assert.is(codes(await client.login(senderId, 'wrong')), '535 5.7.8')
    assert.is(codes(await client.login('anna@example.com', 'wrong')), '454 4.7.0')
    assert.is(codes(await client.login(senderId, 'wrong')), '454 4.7.0')
    await client.wire.closed()
    const counted = ['127.0.0.1 sender-token', '127.0.0.1 too-many-attempts', '127.0.0.1 too-many-attempts']
    assert.equal([tokens.refusals, refusals], [counted, []])
  }),
)

test(
  'a token of some mailboxes sends to no other, asked for or not; a revoked one to none, in a session that goes on',
  asking({}, async ({ tlsPort, mails, senders, cause, policyRefusals }) => {
    const { senderId, token } = await senders.issue({ name: undefined, mailboxes: [mailboxId] }, cause)
    await using(await smtpClient(tlsPort, { tls: true }), async (client) => {
      assert.is(codes(await client.login(senderId, token.reveal())), '235 2.7.0')
      assert.is(codes(await client.deliver(otherAddress, mail)), '450 4.7.1')
      await client.command('RSET')
      assert.is(codes(await client.deliver(address, mail)), received)
      await senders.revoke(senderId, cause)
      assert.is(codes(await client.deliver(address, mail)), '450 4.7.1')
    })
    assert.equal([mails.length, policyRefusals()], [1, ['policy-token', 'policy-token']])
    assert.is(first(mails).delivery.mailboxId, mailboxId)
  }),
)

/** What becomes of a message during which something happens; the first half of it has come then. */
const during = async (client: SmtpClient, way: 'DATA' | 'BDAT', happen: () => unknown) => {
  await client.command('MAIL FROM:<a@b.example>')
  assert.match(await client.command(`RCPT TO:<${address}>`), /^250/)
  const first = way === 'DATA' ? await client.command('DATA') : await client.command(`BDAT 14\r\nSubject: x\r\n`)
  assert.match(first, way === 'DATA' ? /^354/ : /^250/)
  await happen()
  return codes(await client.command(way === 'DATA' ? 'Subject: x\r\n\r\nhello\r\n.' : 'BDAT 7 LAST\r\nhello'))
}

for (const way of ['DATA', 'BDAT'] as const) {
  test(
    `a token that is revoked after RCPT lets no message in, not that one either (${way})`,
    asking({}, async ({ tlsPort, mails, senders, cause, policyRefusals }) => {
      const { senderId, token } = await senders.issue({ name: undefined, mailboxes: [mailboxId] }, cause)
      await using(await smtpClient(tlsPort, { tls: true }), async (client) => {
        await client.login(senderId, token.reveal())
        assert.is(await during(client, way, () => undefined), received)
        assert.is(await during(client, way, () => senders.revoke(senderId, cause)), '450 4.7.1')
        assert.is(codes(await client.command('NOOP')), '250 2.0.0')
      })
      assert.equal([mails.length, policyRefusals()], [1, ['policy-token']])
    }),
  )

  for (const asks of ['listener', 'mailbox'] as const)
    for (const [refusal, answer] of [
      ['temporary', '450 4.7.1'],
      ['permanent', '550 5.7.1'],
    ] as const)
      test(
        `a message during which a ${asks} begins to ask for more is refused with a ${refusal} reply (${way})`,
        asking({}, async ({ port, mails, policyRefusals, ask }) => {
          await using(await smtpClient(port), async (client) => {
            for (const [more, kind] of [
              [{ networks: ['192.0.2.0/24'] }, 'policy-network'],
              [{ requires: ['certificate'] }, 'policy-tls'],
            ] as const) {
              ask({ [asks]: {} })
              assert.is(await during(client, way, () => ask({ [asks]: { ...more, refusal } })), answer)
              assert.is(policyRefusals().at(-1), kind)
            }
          })
          assert.is(mails.length, 0)
        }),
      )
}

test(
  'a listener that asks for a token has nobody send without one',
  asking({ listener: { requires: ['token'] } }, async ({ port, tlsPort, senders, cause }) => {
    assert.is(await sent(port), '450 4.7.0')
    assert.is(await sent(tlsPort, { tls: true }), '450 4.7.0')
    const { senderId, token } = await senders.issue({ name: undefined, mailboxes: null }, cause)
    const answer = await using(await smtpClient(tlsPort, { tls: true }), async (client) => {
      await client.login(senderId, token.reveal())
      return client.deliver(otherAddress, mail)
    })
    assert.is(codes(answer), received)
  }),
)

test(
  'MAIL with AUTH=, which clients say where AUTH is offered, is taken',
  asking({}, async ({ tlsPort }) => {
    const answer = await using(await smtpClient(tlsPort, { tls: true }), async (client) => [
      await client.command('MAIL FROM:<a@b.example> AUTH=<>'),
      await client.command('RSET'),
      await client.command('MAIL FROM:<a@b.example> AUTH=e+3Dmc2@example.com'),
      await client.command('RSET'),
      await client.command('MAIL FROM:<a@b.example> AUTH'),
    ])
    assert.equal(answer.map(codes), ['250 2.1.0', '250 2.0.0', '250 2.1.0', '250 2.0.0', '501 5.5.4'])
  }),
)

test.run()
