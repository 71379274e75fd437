import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts } from '../../ops/scratchGateway.ts'
import type { Recorded } from '../../src/core/events.ts'
import type { Verdict } from '../../src/replaySession.ts'
import { commandOn } from '../support/commandOn.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { logIn, startTestGateway } from '../support/testGateway.ts'
import { until } from '../support/until.ts'

const ports = await freePorts()
const gateway = await startTestGateway({ ports })
const { data } = gateway
const mailbox = await gateway.createMailbox('--name', 'sessions')
const mail = Buffer.from('Subject: a walk\r\n\r\nfrom the last octet back to the peer\r\n')

const sender = await smtpClient(ports.smtp, { starttls: true })
await sender.deliver(mailbox.address, mail)
await sender.quit()
const archive = await pop3Client(ports.pop3s)
await archive.login(mailbox.mailboxId, mailbox.password)
await archive.retrieve(1)
await archive.command('DELE 1')
await archive.quit()

const eventOf = <T extends Recorded['type']>(events: readonly Recorded[], type: T): Recorded<T> => {
  const found = events.find((event) => event.type === type)
  if (!found) throw new Error(`there is no ${type}`)
  return found as Recorded<T>
}

/** By causation from an event to the one before it, as far as the log has one. */
const chainFrom = (events: readonly Recorded[], last: Recorded): readonly Recorded[] => {
  const before = events.find(({ id }) => id === last.metadata.$causationId)
  return before ? [last, ...chainFrom(events, before)] : [last]
}

let replayed = ''
let sessionId = ''

test('a running gateway replays a session that has ended: its conversation, then that it is consistent', async () => {
  const events = await logIn(data)
  sessionId = eventOf(events, 'MessageRetrieved').data.sessionId
  replayed = await gateway.command('replay', 'session', sessionId)
  assert.match(replayed, /^Peer +127\.0\.0\.1, pop3s$/m)
  assert.match(replayed, /^ +\d+ {2}retr 1 octets=\d+ \S+ +fetching$/m)
  assert.match(replayed, /^ +\d+ {2}quit +updating$/m)
  assert.match(
    replayed,
    /\nconsistent: the machine, run again, comes to the same states and replies in all \d+ recorded/,
  )
  const { verdict, steps } = JSON.parse(await gateway.command('replay', 'session', sessionId, '--json')) as Verdict
  assert.is(verdict, 'consistent')
  assert.equal(steps[0], { at: 0, event: '', state: 'anonymous', replies: ['+OK'] })
})

test('a session that there is not, or that has not ended, is no session to replay', async () => {
  const unknown = await commandOn(gateway, 'replay', 'session', '0197f3a0-5b3c-7d2e-8f10-2b3c4d5e6f70')
  assert.equal(unknown, { code: 1, stdout: '', stderr: 'sealpost: No such session is recorded\n' })
  assert.is((await commandOn(gateway, 'replay', 'session', 'nonsense')).code, 2)
  const open = await pop3Client(ports.pop3s)
  await open.login(mailbox.mailboxId, mailbox.password)
  await until(async () => (await logIn(data)).at(-1)?.type === 'LoginAccepted')
  const opened = (await logIn(data)).at(-1)?.metadata.$correlationId ?? ''
  const running = await commandOn(gateway, 'replay', 'session', opened)
  assert.equal(running, { code: 1, stdout: '', stderr: 'sealpost: The session has not ended yet\n' })
  await open.quit()
})

test('from MessageRetrieved a walk by causation leads to the login and the session, its peer and its TLS', async () => {
  const events = await logIn(data)
  const chain = chainFrom(events, eventOf(events, 'MessageRetrieved'))
  assert.equal(chain.map(({ type }) => type), ['MessageRetrieved', 'LoginAccepted', 'SessionOpened']) // prettier-ignore
  const login = eventOf(chain, 'LoginAccepted')
  assert.is(login.data.mailboxId, mailbox.mailboxId)
  assert.is(login.data.tls?.version, 'TLSv1.3')
  const { remoteAddress, protocol, tls } = eventOf(chain, 'SessionOpened').data
  assert.equal([remoteAddress, protocol, tls?.version], ['127.0.0.1', 'pop3s', 'TLSv1.3'])
})

test('one correlation holds a session together: its own stream, what it retrieved, what it deleted', async () => {
  const events = await logIn(data)
  const session = eventOf(events, 'MessageRetrieved').metadata.$correlationId
  assert.equal(
    events.filter(({ metadata }) => metadata.$correlationId === session).map(({ type }) => type),
    ['SessionOpened', 'LoginAccepted', 'MessageRetrieved', 'MaildropUpdated', 'SessionClosed'],
  )
  assert.is(chainFrom(events, eventOf(events, 'MaildropUpdated'))[1]?.type, 'LoginAccepted')
})

test('from MessageReceived a walk leads to the session that brought it, its peer and its TLS', async () => {
  const events = await logIn(data)
  for (const type of ['MessageReceived', 'MessageSealed'] as const) {
    const [, opened] = chainFrom(events, eventOf(events, type))
    assert.ok(opened)
    assert.is(opened.type, 'SessionOpened')
    assert.is(opened.stream, `session-${eventOf(events, 'MessageReceived').data.sessionId}`)
    assert.is(eventOf([opened], 'SessionOpened').data.tls?.version, 'TLSv1.3')
  }
})

test('every fact has its principal: of what a session did, its peer', async () => {
  const events = await logIn(data)
  const peers = new Map(events.filter(({ type }) => type === 'SessionOpened').map((event) => [event.metadata.$correlationId, eventOf([event], 'SessionOpened').data.remoteAddress])) // prettier-ignore
  for (const { type, metadata } of events) {
    const peer = peers.get(metadata.$correlationId)
    if (peer !== undefined) assert.is(metadata.principal, `peer:${peer}`, type)
    else assert.match(metadata.principal, /^(system|local:.+)$/, type)
  }
  assert.match(eventOf(events, 'MailboxCreated').metadata.principal, /^local:/)
})

test('a peer that vanishes in the middle of a message leaves its transcript', async () => {
  const vanishing = await smtpClient(ports.smtp)
  for (const line of ['MAIL FROM:<a@example.com>', `RCPT TO:<${mailbox.address}>`, 'DATA'])
    await vanishing.command(line)
  vanishing.wire.send('Subject: cut')
  vanishing.wire.destroy()
  const closed = async () => (await logIn(data)).findLast((event) => event.type === 'SessionClosed')
  await until(async () => (await closed())?.data.outcome === 'lost')
  assert.match((await closed())?.data.transcript ?? '', /data > receiving 354\n\d+ closed > ended\nend complete\n$/)
})

test('sessions that a crash left open are closed as lost by the next start, and have nothing to replay', async () => {
  const left = await smtpClient(ports.smtp)
  for (const line of ['MAIL FROM:<a@example.com>', `RCPT TO:<${mailbox.address}>`]) await left.command(line)
  await until(async () => (await logIn(data)).at(-1)?.type === 'SessionOpened')
  await gateway.kill()
  const again = await startTestGateway({ data, ports })
  await until(async () => (await logIn(data)).at(-1)?.type === 'SessionClosed')
  assert.is(await again.stop(), 0)
  const events = await logIn(data)
  const lost = events.findLast(({ type }) => type === 'SessionClosed')
  assert.ok(lost)
  assert.equal([eventOf([lost], 'SessionClosed').data.outcome, lost.metadata.principal], ['lost', 'system'])
  assert.equal(chainFrom(events, lost).map(({ type }) => type), ['SessionClosed', 'GatewayStarted']) // prettier-ignore
  const { code, stdout } = await commandOn(gateway, 'replay', 'session', lost.metadata.$correlationId, '--data', data)
  assert.is(code, 1)
  assert.match(stdout, /\nnot recorded: no transcript was left: the gateway ended before the session\.\n$/)
})

test('without its gateway a data directory tells the same of a session', async () =>
  assert.is(await gateway.command('replay', 'session', sessionId, '--data', data), replayed))

/** What somebody does who can write the file: the log's triggers keep only mistakes away. */
const tamper = (change: (transcript: string) => string) => {
  const db = new DatabaseSync(join(data, 'events.db'))
  const stream = `session-${sessionId}`
  const of = "from event where stream = ? and type = 'SessionClosed'"
  const { data: text } = db.prepare(`select data ${of}`).get(stream) as { readonly data: string }
  const closed = JSON.parse(text) as { readonly transcript: string }
  db.exec('drop trigger eventIsNeverChanged')
  const changed = JSON.stringify({ ...closed, transcript: change(closed.transcript) })
  db.prepare("update event set data = ? where stream = ? and type = 'SessionClosed'").run(changed, stream)
  db.close()
  return () => {
    const db = new DatabaseSync(join(data, 'events.db'))
    db.prepare("update event set data = ? where stream = ? and type = 'SessionClosed'").run(text, stream)
    db.exec("create trigger eventIsNeverChanged before update on event begin select raise(abort, ''); end")
    db.close()
  }
}

test('a transcript that was changed in the log is damaged, and the exit code says so', async () => {
  const restore = tamper((transcript) => transcript.replace(/retr 1/, 'retr 2'))
  const { code, stdout } = await commandOn(gateway, 'replay', 'session', sessionId, '--data', data)
  restore()
  assert.is(code, 1)
  assert.match(stdout, /\ndamaged: the transcript's SHA-256 is [0-9a-f]{64}, not the recorded one\.\n$/)
})

test.after(() => gateway.remove())
test.run()
