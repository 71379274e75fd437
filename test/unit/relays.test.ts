import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { messageOf } from '../../projections/messages.ts'
import { viewReader } from '../../projections/projection.ts'
import { projections } from '../../projections/projections.ts'
import { fold } from '../../projections/runner.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { stamper } from '../../src/core/events.ts'
import { eventId, newCommandId, origin } from '../../src/core/ids.ts'
import type { Append, EventLog } from '../../src/core/ports.ts'
import { gatewayStream, messageStream } from '../../src/core/streams.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { recordRelays, settlePendingRelays } from '../../src/relays.ts'
import { arrived, relayed, relayRefused, submitted } from './projectionsFacts.ts'
import { append, byTest, emptyViews, type Given, mailboxId, messageId, steppingClock } from './projectionsGiven.ts'

const clock = steppingClock()
const stamp = stamper('test', () => clock.now())
const nothing = () => {}
const logger = { info: nothing, warn: nothing, error: nothing }

const logAfter = async (...given: readonly Given[]) => {
  const log = memoryLog({ clock: steppingClock() })
  await append(log, given)
  return log
}
const outcomesIn = async (log: EventLog, n: number) =>
  (await log.readStream(messageStream(messageId(n)), 2, 10)).map(({ type, data }) => ({ type, ...data }))
const of = (n: number) => ({ messageId: messageId(n), mailboxId: mailboxId(1) })

test("the server's answer is in the log when its record has resolved", async () => {
  const log = await logAfter(submitted(1, 1), submitted(2, 1), submitted(3, 1))
  const relays = recordRelays({ log, stamp, logger })
  await relays.record({ ...of(1), answer: { is: 'accepted', code: 250 }, cause: byTest })
  await relays.record({ ...of(2), answer: { is: 'refused', code: 554 }, cause: byTest })
  await relays.record({ ...of(3), answer: { is: 'silent' }, cause: byTest })
  assert.equal(await outcomesIn(log, 1), [{ type: 'MessageRelayed', ...of(1), outcome: 'accepted', code: 250 }])
  assert.equal(await outcomesIn(log, 2), [{ type: 'MessageRelayRefused', ...of(2), code: 554 }])
  assert.equal(await outcomesIn(log, 3), [{ type: 'MessageRelayed', ...of(3), outcome: 'unknown', code: null }])
})

test('a message keeps the outcome that was written first', async () => {
  const log = await logAfter(submitted(1, 1), relayed(1, 1, 'unknown'))
  await recordRelays({ log, stamp, logger }).record({ ...of(1), answer: { is: 'refused', code: 550 }, cause: byTest })
  assert.equal(await outcomesIn(log, 1), [{ type: 'MessageRelayed', ...of(1), outcome: 'unknown', code: null }])
})

test('an outcome that could not be written is tried again with the same command, until it is', async () => {
  const log = await logAfter(submitted(1, 1))
  const commands: Append['commandId'][] = []
  const failing = {
    ...log,
    append: (wanted: Append) => {
      commands.push(wanted.commandId)
      return commands.length < 2 ? Promise.reject(new GatewayError('outcome-unknown')) : log.append(wanted)
    },
  }
  const relays = recordRelays({ log: failing, stamp, logger })
  await relays.record({ ...of(1), answer: { is: 'accepted', code: 250 }, cause: byTest })
  assert.is(commands.length, 2)
  assert.is(new Set(commands).size, 1)
  assert.is((await outcomesIn(log, 1)).length, 1)
})

test('an outcome that comes before its message is in the log waits for that', async () => {
  const log = await logAfter()
  const relays = recordRelays({ log, stamp, logger })
  const recording = relays.record({ ...of(1), answer: { is: 'refused', code: 451 }, cause: byTest })
  await new Promise(setImmediate)
  await append(log, [submitted(1, 1)])
  await recording
  assert.equal(await outcomesIn(log, 1), [{ type: 'MessageRelayRefused', ...of(1), code: 451 }])
})

test('what is closed tries no more, and the record resolves all the same', async () => {
  const relays = recordRelays({
    log: { ...(await logAfter()), append: () => Promise.reject(new GatewayError('not-written')) },
    stamp,
    logger: { ...logger, warn: () => relays.close() },
  })
  await relays.record({ ...of(1), answer: { is: 'silent' }, cause: byTest })
})

test('a start settles as unknown what the last run of the same gateway left pending, and nothing else', async () => {
  const log = await logAfter(
    submitted(1, 1),
    submitted(2, 1),
    relayed(2, 1),
    submitted(3, 1),
    relayRefused(3, 1),
    arrived(4, 1),
  )
  const other = stamper('other', () => clock.now())
  const [stream, ...facts] = submitted(5, 1)
  const events = facts.map((fact) => other(fact, byTest))
  await log.append({ stream, expected: 'no-stream', commandId: newCommandId(), events })
  const commandId = newCommandId()
  const start = [stamp({ type: 'GatewayStarted', data: { configSha256: '0' } }, byTest)]
  const { position } = await log.append({ stream: gatewayStream('test'), expected: 'any', commandId, events: start })
  await append(log, [submitted(6, 1)])
  const db = emptyViews()
  const visible = async () => fold(db, projections, await log.readAll(origin, 10_000))
  const started = { event: eventId(commandId, 0), position }
  const count = await settlePendingRelays({ reader: viewReader(db), visible, log, stamp, node: 'test', started })
  assert.is(count, 1)
  assert.equal(await outcomesIn(log, 1), [{ type: 'MessageRelayed', ...of(1), outcome: 'unknown', code: null }])
  assert.is(messageOf(viewReader(db), messageId(5))?.relay, 'pending')
  assert.equal(await outcomesIn(log, 5), [])
  assert.equal(await outcomesIn(log, 6), [])
})

test.run()
