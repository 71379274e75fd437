import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Archive, Delivery } from '../../src/archive.ts'
import { GatewayError } from '../../src/core/errors.ts'
import type { Position } from '../../src/core/ids.ts'
import { newMessageId } from '../../src/core/ids.ts'
import { createMetrics, type Readings } from '../../src/metrics/metrics.ts'
import { bodyOf, collect } from '../support/scratchParts.ts'

const readings: Readings = {
  checks: [
    { name: 'log', ok: true, detail: '' },
    { name: 'disk', ok: false, detail: '' },
  ],
  sessions: { smtp: 3, submission: 0, pop3: 1 },
  sessionsOfOne: { smtp: 2, submission: 0, pop3: 1 },
  bytesInFlight: 70_000,
  limits: {
    smtpSessions: 1000,
    pop3Sessions: 1000,
    sessionsPerClient: 500,
    messagesPerMinute: 12_000,
    bytesInFlight: 64 * 2 ** 20,
    logLag: 30,
    diskReserve: 2 ** 29,
  },
  storageCalls: 7,
  storageLag: 0.25,
  viewsState: 'behind',
  viewsLag: 1.5,
  undrainedAge: 3600,
  stored: { log: 4096, vault: undefined },
  free: { data: 1e9, vault: 2e9, keys: undefined },
  certificate: { notBefore: new Date('2029-10-03T00:00:00.000Z'), notAfter: new Date('2030-01-01T00:00:00.000Z') },
}
const made = () => createMetrics({ version: '1.2.3', node: '26.0.0' })
const linesOf = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
const delivery = { messageId: newMessageId() } as Delivery

/** Reads the body to its end, then takes so many milliseconds over it. */
const slowArchive = (milliseconds: number): Archive => ({
  receive: async ({ messageId }, body) => {
    const { length } = await collect(body)
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
    return { messageId, size: length, wireSize: length, position: '1' as Position, content: undefined }
  },
})

test('a message is counted with its octets, and its seconds begin at the end of its data', async () => {
  const metrics = made()
  const archive = metrics.counted(slowArchive(60))
  async function* slowly() {
    await new Promise((resolve) => setTimeout(resolve, 600))
    yield* bodyOf('12345', '67890')
  }
  const begun = performance.now()
  assert.is((await archive.receive(delivery, slowly())).size, 10)
  const took = (performance.now() - begun) / 1000
  const lines = linesOf(await metrics.text(readings))
  assert.ok(lines.includes('sealpost_messages_received_total 1'))
  assert.ok(lines.includes('sealpost_received_bytes_total 10'))
  assert.ok(lines.includes('sealpost_acknowledge_seconds_bucket{le="0.05"} 0'))
  assert.ok(lines.includes('sealpost_acknowledge_seconds_count 1'))
  const sum = Number(lines.find((line) => line.startsWith('sealpost_acknowledge_seconds_sum '))?.split(' ')[1])
  assert.ok(sum <= took - 0.55, `${sum} s of ${took} s`)
})

test('a message that could not be kept is counted by its code, and fails as it did', async () => {
  const metrics = made()
  const archive = metrics.counted({ receive: () => Promise.reject(new GatewayError('storage-full')) })
  const error = await archive.receive(delivery, bodyOf('x')).catch((thrown: unknown) => thrown)
  assert.is(error instanceof GatewayError && error.code, 'storage-full')
  const lines = linesOf(await metrics.text(readings))
  assert.ok(lines.includes('sealpost_messages_failed_total{code="storage-full"} 1'))
  assert.ok(lines.includes('sealpost_messages_received_total 0'))
})

test('what is read is shown in seconds and octets, and what is not known is not shown', async () => {
  const metrics = made()
  metrics.refused('wrong-password')
  metrics.refused('wrong-password')
  metrics.keysDamaged(3)
  const lines = linesOf(await metrics.text(readings))
  for (const line of [
    'sealpost_build_info{version="1.2.3",node="26.0.0"} 1',
    'sealpost_refusals_total{kind="wrong-password"} 2',
    'sealpost_damaged_keys_total 3',
    'sealpost_check_ok{check="log"} 1',
    'sealpost_check_ok{check="disk"} 0',
    'sealpost_sessions{protocol="smtp"} 3',
    'sealpost_sessions_of_one_address{protocol="smtp"} 2',
    'sealpost_bytes_in_flight 70000',
    'sealpost_limit{name="messagesPerMinute"} 12000',
    'sealpost_limit{name="logLag"} 30',
    'sealpost_storage_lag_seconds 0.25',
    'sealpost_storage_calls_waiting 7',
    'sealpost_views_state{state="behind"} 1',
    'sealpost_views_state{state="live"} 0',
    'sealpost_views_lag_seconds 1.5',
    'sealpost_undrained_age_seconds 3600',
    'sealpost_stored_bytes{what="log"} 4096',
    'sealpost_disk_free_bytes{place="vault"} 2000000000',
    'sealpost_certificate_expiry_timestamp_seconds 1893456000',
    'sealpost_certificate_lifetime_seconds 7776000',
  ])
    assert.ok(lines.includes(line), line)
  assert.not(lines.some((line) => line.includes('what="vault"') || line.includes('place="keys"')))
})

test('a figure that can no longer be told is not the one of before', async () => {
  const metrics = made()
  await metrics.text(readings)
  const lines = linesOf(await metrics.text({ ...readings, viewsLag: undefined, undrainedAge: undefined }))
  assert.ok(lines.includes('sealpost_views_lag_seconds Nan') || lines.includes('sealpost_views_lag_seconds NaN'))
  assert.not(lines.includes('sealpost_undrained_age_seconds 3600'))
})

test.run()
