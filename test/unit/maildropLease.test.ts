import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type ErrorCode, GatewayError } from '../../src/core/errors.ts'
import { stamper } from '../../src/core/events.ts'
import { type MailboxId, newMailboxId, newMessageId, newSessionId } from '../../src/core/ids.ts'
import type { Append, EventLog, Logger } from '../../src/core/ports.ts'
import { maildropStream } from '../../src/core/streams.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { leasedLock } from '../../src/maildropLease.ts'
import type { Holder } from '../../src/maildropLock.ts'
import { codeOf } from '../support/codeOf.ts'
import { until } from '../support/until.ts'

const silent: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined }
const seconds = 60

/** One log, its clock, and gateways on it. */
const given = () => {
  let now = Date.parse('2026-03-01T12:00:00Z')
  const clock = { now: () => new Date(now) }
  const log = memoryLog({ clock })
  const gateway = (node: string, over: Partial<EventLog> = {}, lasting = seconds) => {
    const stamp = stamper(node, () => clock.now())
    return leasedLock({ log: { ...log, ...over }, stamp, clock, logger: silent, node, seconds: lasting })
  }
  return { log, gateway, pass: (time: number) => (now += time * 1000) }
}

const sessionOf = (mailboxId: MailboxId): Holder => {
  const sessionId = newSessionId()
  const cause = { principal: 'peer:192.0.2.1', correlationId: sessionId, causationId: sessionId } as const
  return { mailboxId, sessionId, cause }
}

const factsOf = async (log: EventLog, mailboxId: MailboxId) =>
  (await log.readStream(maildropStream(mailboxId), 0, 1000)).map(({ type, data }) =>
    'fence' in data ? `${type} ${data.fence}` : type,
  )

test('a maildrop held at one gateway is in use at another, and free when given back', async () => {
  const { log, gateway } = given()
  const [a, b] = [gateway('a'), gateway('b')]
  const mailboxId = newMailboxId()
  const held = await a.take(sessionOf(mailboxId))
  assert.is(await codeOf(b.take(sessionOf(mailboxId))), 'maildrop-in-use')
  assert.is(await codeOf(a.take(sessionOf(mailboxId))), 'maildrop-in-use')
  await held.release()
  await (await b.take(sessionOf(mailboxId))).release()
  assert.equal(await factsOf(log, mailboxId), ['LeaseTaken 1', 'LeaseReleased 1', 'LeaseTaken 2', 'LeaseReleased 2'])
})

test('of two gateways that take a free maildrop at once, one gets it', async () => {
  const { gateway } = given()
  const mailboxId = newMailboxId()
  const takers = ['a', 'b', 'c'].map((node) => gateway(node).take(sessionOf(mailboxId)))
  const outcomes = await Promise.all(takers.map(codeOf))
  assert.equal(outcomes.toSorted(), ['maildrop-in-use', 'maildrop-in-use', undefined])
  for (const taken of await Promise.allSettled(takers)) if (taken.status === 'fulfilled') await taken.value.release()
})

test('the maildrop of a gateway that died is free after the lease and its margin, not before', async () => {
  const { gateway, pass } = given()
  const mailboxId = newMailboxId()
  await gateway('dead').take(sessionOf(mailboxId))
  pass(64)
  assert.is(await codeOf(gateway('b').take(sessionOf(mailboxId))), 'maildrop-in-use')
  pass(1)
  await (await gateway('b').take(sessionOf(mailboxId))).release()
})

test('a gateway that comes back need not wait for the leases of its earlier life', async () => {
  const { gateway } = given()
  const mailboxId = newMailboxId()
  await gateway('a').take(sessionOf(mailboxId))
  await (await gateway('a').take(sessionOf(mailboxId))).release()
})

test('a holder that slept through its lease cannot commit its deletions', async () => {
  const { log, gateway, pass } = given()
  const mailboxId = newMailboxId()
  const sleeper = await gateway('a').take(sessionOf(mailboxId))
  pass(600)
  const other = await gateway('b').take(sessionOf(mailboxId))
  assert.is(await codeOf(sleeper.update([newMessageId()])), 'maildrop-in-use')
  assert.is(await codeOf(sleeper.update([newMessageId()])), 'maildrop-in-use')
  await sleeper.release()
  await other.update([newMessageId()])
  assert.equal(await factsOf(log, mailboxId), ['LeaseTaken 1', 'LeaseTaken 2', 'MaildropUpdated 2', 'LeaseReleased 2'])
})

test('a holder whose lease ended untouched still holds the maildrop', async () => {
  const { gateway, pass } = given()
  const mailboxId = newMailboxId()
  const held = await gateway('a').take(sessionOf(mailboxId))
  pass(600)
  await held.update([newMessageId()])
  await (await gateway('b').take(sessionOf(mailboxId))).release()
})

test('more deletions than one event takes are all recorded under one lease', async () => {
  const { log, gateway } = given()
  const mailboxId = newMailboxId()
  const held = await gateway('a').take(sessionOf(mailboxId))
  await held.update(Array.from({ length: 45_000 }, newMessageId))
  await held.release()
  const events = await log.readStream(maildropStream(mailboxId), 0, 100)
  assert.equal(
    events.map(({ type }) => type),
    [
      'LeaseTaken',
      'MaildropUpdated',
      'LeaseTaken',
      'MaildropUpdated',
      'LeaseTaken',
      'MaildropUpdated',
      'LeaseReleased',
    ],
  )
  const counts = events.map((event) => (event.type === 'MaildropUpdated' ? event.data.deleted.length : 0))
  assert.is(
    counts.reduce((sum, count) => sum + count),
    45_000,
  )
})

test('a lease is renewed while its session lasts, under the same fence', async () => {
  const { log, gateway } = given()
  const mailboxId = newMailboxId()
  const held = await gateway('a', {}, 0.15).take(sessionOf(mailboxId))
  await until(async () => (await factsOf(log, mailboxId)).length >= 3, 'two renewals')
  await held.release()
  const facts = await factsOf(log, mailboxId)
  assert.ok(facts.length >= 4, facts.join())
  assert.equal([...new Set(facts)], ['LeaseTaken 1', 'LeaseReleased 1'])
})

test('a renewal whose outcome is unknown is repeated as it was before anything else is written', async () => {
  const { log, gateway } = given()
  const seen: Append[] = []
  let failing = false
  let failed = false
  const append: EventLog['append'] = async (append) => {
    seen.push(append)
    const answer = await log.append(append)
    failed ||= failing
    if (failing) throw new GatewayError('outcome-unknown')
    return answer
  }
  const mailboxId = newMailboxId()
  const held = await gateway('a', { append }, 0.15).take(sessionOf(mailboxId))
  failing = true
  await until(() => failed, 'a renewal')
  failing = false
  await held.update([newMessageId()])
  const [, renewal] = seen
  const repeats = seen.filter(({ commandId }) => commandId === renewal?.commandId)
  assert.ok(repeats.length >= 2)
  assert.is((await factsOf(log, mailboxId)).at(-1), 'LeaseReleased 1')
})

test('a renewal whose outcome is unknown stays open when its repeat is refused, and the maildrop is kept', async () => {
  const { log, gateway } = given()
  const codes: (ErrorCode | undefined)[] = [undefined, 'outcome-unknown', 'not-written']
  const append: EventLog['append'] = async (append) => {
    const code = codes.shift()
    if (code !== 'not-written') await log.append(append)
    if (code) throw new GatewayError(code)
    return log.append(append)
  }
  const mailboxId = newMailboxId()
  const held = await gateway('a', { append }, 0.15).take(sessionOf(mailboxId))
  await until(() => codes.length === 0, 'a renewal and its repeat')
  await held.update([newMessageId()])
  assert.is((await factsOf(log, mailboxId)).at(-1), 'LeaseReleased 1')
})

test('a log that refuses the lease leaves the maildrop free', async () => {
  const { gateway } = given()
  const mailboxId = newMailboxId()
  const append = () => Promise.reject(new GatewayError('not-written'))
  assert.is(await codeOf(gateway('a', { append }).take(sessionOf(mailboxId))), 'not-written')
  await (await gateway('b').take(sessionOf(mailboxId))).release()
})

test.run()
