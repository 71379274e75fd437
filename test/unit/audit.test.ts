import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createAudit } from '../../src/audit.ts'
import { type Cause, stamper } from '../../src/core/events.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { type MailboxId, newSessionId, origin } from '../../src/core/ids.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { codeOf } from '../support/codeOf.ts'

const test = suite('audit')
const minute = 60_000
const mailboxId = 'mbx-00000000000000000000000000000001' as MailboxId

const world = () => {
  let at = Date.parse('2026-03-01T10:00:00Z')
  const clock = { now: () => new Date(at) }
  const log = memoryLog({ clock })
  let failure: GatewayError | undefined
  const append: typeof log.append = (request) => (failure ? Promise.reject(failure) : log.append(request))
  return {
    audit: createAudit({ log: { append }, stamp: stamper('one', () => clock.now()), clock }),
    pass: (milliseconds: number) => void (at += milliseconds),
    fail: (error?: GatewayError) => void (failure = error),
    recorded: async () => (await log.readAll(origin, 100)).length,
  }
}

const by = (principal: Cause['principal'] = 'token:tok-1', source = '192.0.2.1'): Cause => {
  const id = newSessionId()
  return { principal, correlationId: id, causationId: id, source }
}

test('who reads the same again within ten minutes has been recorded, and after them is recorded again', async () => {
  const { audit, pass, recorded } = world()
  await audit.read({ record: 'events' }, by())
  pass(10 * minute - 1)
  await audit.read({ record: 'events' }, by())
  assert.is(await recorded(), 1)
  pass(1)
  await audit.read({ record: 'events' }, by())
  assert.is(await recorded(), 2)
})

test('who asks for the same many times at once is recorded once, and none of the readings is released before that', async () => {
  const { audit, recorded } = world()
  const released = await Promise.all(
    Array.from({ length: 50 }, async () => {
      await audit.read({ record: 'messages', mailboxId }, by())
      return recorded()
    }),
  )
  assert.equal(new Set(released), new Set([1]))
})

test('another record, person or address is another reading', async () => {
  const { audit, recorded } = world()
  await audit.read({ record: 'events' }, by())
  await audit.read({ record: 'history' }, by())
  await audit.read({ record: 'events', mailboxId }, by())
  await audit.read({ record: 'events' }, by('token:tok-2'))
  await audit.read({ record: 'events' }, by('token:tok-1', '192.0.2.2'))
  assert.is(await recorded(), 5)
})

test('what leaves the gateway is recorded each time', async () => {
  const { audit, recorded } = world()
  for (let time = 0; time < 2; time++) await audit.opened({ record: 'sealed', mailboxId }, by())
  for (let time = 0; time < 2; time++) await audit.exported({ mailboxId, generations: [1] }, by())
  assert.is(await recorded(), 4)
})

test('a reading that could not be recorded is refused, and the next one is not taken for recorded', async () => {
  const { audit, fail, recorded } = world()
  fail(new GatewayError('storage-full'))
  assert.is(await codeOf(audit.read({ record: 'events' }, by())), 'storage-full')
  assert.is(await codeOf(audit.read({ record: 'events' }, by())), 'storage-full')
  fail()
  await audit.read({ record: 'events' }, by())
  assert.is(await recorded(), 1)
})

test.run()
