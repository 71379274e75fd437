import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { viewReader } from '../../projections/projection.ts'
import { projections } from '../../projections/projections.ts'
import { fold } from '../../projections/runner.ts'
import { type Fact, stamper } from '../../src/core/events.ts'
import { eventId, newCommandId, newSessionId, origin, type SessionId } from '../../src/core/ids.ts'
import { gatewayStream, sessionStream } from '../../src/core/streams.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { closeLostSessions } from '../../src/lostSessions.ts'
import { byTest, emptyViews, steppingClock } from './projectionsGiven.ts'

const opened: Fact = { type: 'SessionOpened', data: { protocol: 'smtp', remoteAddress: '192.0.2.1', tls: null } }
const closed: Fact = {
  type: 'SessionClosed',
  data: { outcome: 'quit', octetsIn: 1, octetsOut: 1, transcript: null, transcriptSha256: null },
}

/** A log of several gateways, and what a start of one of them does to it. */
const given = () => {
  const clock = steppingClock()
  const log = memoryLog({ clock })
  const append = (node: string, sessionId: SessionId, fact: Fact) =>
    log.append({
      stream: sessionStream(sessionId),
      expected: 'any',
      commandId: newCommandId(),
      events: [stamper(node, clock.now)(fact, byTest)],
    })
  const start = async (node: string, meanwhile: () => Promise<unknown> = () => Promise.resolve()) => {
    const db = emptyViews()
    const commandId = newCommandId()
    const events = [stamper(node, clock.now)({ type: 'GatewayStarted', data: { configSha256: '0' } }, byTest)]
    const { position } = await log.append({ stream: gatewayStream(node), expected: 'any', commandId, events })
    const started = { event: eventId(commandId, 0), position }
    await meanwhile()
    /** Views that had folded nothing at the start. */
    const visible = async () => fold(db, projections, await log.readAll(origin, 10_000))
    const stamp = stamper(node, clock.now)
    const count = await closeLostSessions({ reader: viewReader(db), visible, log, stamp, node, started })
    return { started: started.event, count }
  }
  return { log, append, start }
}

test('a start closes as lost what the last run of the same gateway left open, and nothing else', async () => {
  const { log, append, start } = given()
  const [open, over, others] = [newSessionId(), newSessionId(), newSessionId()]
  await append('a', open, opened)
  await append('a', over, opened)
  await append('a', over, closed)
  await append('b', others, opened)
  const { started, count } = await start('a')
  assert.is(count, 1)
  const [, last] = await log.readStream(sessionStream(open), 0, 10)
  assert.ok(last)
  assert.equal(last.data, {
    outcome: 'lost',
    octetsIn: null,
    octetsOut: null,
    transcript: null,
    transcriptSha256: null,
  })
  const { principal, $correlationId, $causationId } = last.metadata
  assert.equal([principal, $correlationId, $causationId], ['system', open, started])
  assert.is((await log.readStream(sessionStream(over), 0, 10)).length, 2)
  assert.is((await log.readStream(sessionStream(others), 0, 10)).length, 1)
  assert.is((await start('a')).count, 0)
})

test('a session of this run is left alone, however early it began', async () => {
  const { log, append, start } = given()
  const [open, early] = [newSessionId(), newSessionId()]
  await append('a', open, opened)
  assert.is((await start('a', () => append('a', early, opened))).count, 1)
  assert.is((await log.readStream(sessionStream(early), 0, 10)).length, 1)
})

test('however many sessions were left open, each is closed once', async () => {
  const { log, append, start } = given()
  const sessions = Array.from({ length: 1201 }, newSessionId)
  for (const session of sessions) await append('a', session, opened)
  assert.is((await start('a')).count, 1201)
  for (const session of sessions) assert.is((await log.readStream(sessionStream(session), 0, 10)).length, 2)
})

test.run()
