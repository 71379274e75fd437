import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Archive } from '../archive.ts'
import type { Limits } from '../config.ts'
import { asGatewayError, type ErrorCode } from '../core/errors.ts'
import { putOffs } from '../core/putOff.ts'
import { viewsStates, type ViewsStatus } from '../storage/viewsState.ts'
import { atEnd } from '../wire/atEnd.ts'
import type { Check } from './readiness.ts'

/** So that an alert can say how near the gateway is to each. */
const shownLimits = [
  'smtpSessions',
  'pop3Sessions',
  'sessionsPerClient',
  'messagesPerMinute',
  'bytesInFlight',
  'logLag',
  'diskReserve',
] as const

/** What is looked up when somebody asks. Octets, seconds; undefined is not shown. */
export type Readings = {
  readonly checks: readonly Check[]
  readonly sessions: Readonly<Record<'smtp' | 'submission' | 'pop3', number>>
  /** Of the address that has the most. */
  readonly sessionsOfOne: Readonly<Record<'smtp' | 'submission' | 'pop3', number>>
  readonly bytesInFlight: number
  readonly limits: Pick<Limits, (typeof shownLimits)[number]>
  readonly storageCalls: number
  readonly storageLag: number
  readonly viewsState: ViewsStatus['state']
  readonly viewsLag: number | undefined
  /** Of the oldest message in any maildrop; 0 when all are empty. */
  readonly undrainedAge: number | undefined
  readonly stored: Readonly<Record<'log' | 'vault', number | undefined>>
  readonly free: Readonly<Record<'data' | 'vault' | 'keys', number | undefined>>
  readonly certificate: { readonly notBefore: Date; readonly notAfter: Date }
}

export type Metrics = {
  /** The same archive, counted: its messages, their octets, and the seconds from the end of the data to the receipt. */
  counted(archive: Archive): Archive
  /** One more refusal. `kind` is a word of the program's, never anything that a peer has typed. */
  refused(kind: string): void
  /** One more order of a certificate that has come to its end. */
  certificateOrdered(outcome: 'issued' | 'failed'): void
  /** Keys that a login could not open, because a file is damaged or missing. */
  keysDamaged(count: number): void
  /** Prometheus' text format 0.0.4. */
  text(readings: Readings): Promise<string>
}

/** Seconds: two flushes of a good disk are some milliseconds; a sender gives up after ten minutes (RFC 5321 §4.5.3.2.6). */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Failures of the gateway's own, after which a sender tries again. */
const ownFailures: readonly ErrorCode[] = [
  'storage-full',
  'storage-failed',
  'not-written',
  'outcome-unknown',
  'overloaded',
  'internal',
]

/** No label has a value that peers, mailboxes or administrators choose, so their number is bounded by the program. */
export const createMetrics = (build: { readonly version: string; readonly node: string }): Metrics => {
  const registry = new Registry()
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers })
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Gauge({ name, help, labelNames, registers })

  gauge('sealpost_build_info', 'Always 1; the labels say which program this is.', 'version', 'node').set(build, 1)
  const received = counter('sealpost_messages_received_total', 'Messages sealed, recorded and acknowledged.')
  const octets = counter('sealpost_received_bytes_total', 'Their octets, before sealing.')
  const failed = counter('sealpost_messages_failed_total', 'Messages put off or refused after their data.', 'code')
  // So that the first of them is seen as an increase.
  for (const code of ownFailures) failed.inc({ code }, 0)
  const help = 'From the end of the data until the message is sealed and recorded: what the sender waits for its 250.'
  const seconds = new Histogram({ name: 'sealpost_acknowledge_seconds', help, buckets, registers })
  const refusals = counter('sealpost_refusals_total', 'Logins, recipients, commands and connections refused.', 'kind')
  // So that the first of them is seen as an increase.
  for (const kind of [...putOffs, 'too-many-sessions', 'too-slow', 'tls-handshake']) refusals.inc({ kind }, 0)
  const damaged = counter(
    'sealpost_damaged_keys_total',
    'Keys that logins could not open because a file is damaged or missing; counted at each login.',
  )
  const orders = counter('sealpost_certificate_orders_total', 'Orders of a certificate (ACME).', 'outcome')
  for (const outcome of ['issued', 'failed']) orders.inc({ outcome }, 0)
  const show = readingGauges(gauge)
  const showProcess = processGauges(gauge, counter)

  return {
    counted: (archive) => ({
      receive: async (delivery, body, checks) => {
        let ended = performance.now()
        try {
          const receipt = await archive.receive(
            delivery,
            atEnd(body, () => (ended = performance.now())),
            checks,
          )
          received.inc()
          octets.inc(receipt.size)
          seconds.observe((performance.now() - ended) / 1000)
          return receipt
        } catch (error) {
          failed.inc({ code: asGatewayError(error).code })
          throw error
        }
      },
    }),
    certificateOrdered: (outcome) => orders.inc({ outcome }),
    keysDamaged: (count) => damaged.inc(count),
    refused: (kind) => refusals.inc({ kind }),
    text: (readings) => {
      show(readings)
      showProcess()
      return registry.metrics()
    },
  }
}

type MakeCounter = <L extends string>(name: string, help: string, ...labelNames: L[]) => Counter<L>
type MakeGauge = <L extends string>(name: string, help: string, ...labelNames: L[]) => Gauge<L>

const readingGauges = (gauge: MakeGauge) => {
  const check = gauge('sealpost_check_ok', 'Of each check of /readyz: 1 when it is well, 0 when not.', 'check')
  const sessions = gauge('sealpost_sessions', 'Open connections, with TLS from the first octet or not.', 'protocol')
  const ofOne = gauge('sealpost_sessions_of_one_address', 'Those of the address that has the most.', 'protocol')
  const flying = gauge('sealpost_bytes_in_flight', 'Octets of messages in memory on their way to the vault.')
  const limit = gauge('sealpost_limit', 'What the configuration says: connections, messages, octets, seconds.', 'name')
  const owes = gauge(
    'sealpost_storage_lag_seconds',
    'For how long the storage has owed its oldest answer to what writes.',
  )
  const calls = gauge('sealpost_storage_calls_waiting', 'Calls that the storage thread has not answered yet.')
  const state = gauge('sealpost_views_state', 'The state in which the views are is 1, the others 0.', 'state')
  const lag = gauge('sealpost_views_lag_seconds', 'For how long the views lack an event of the log, at the least.')
  const age = gauge(
    'sealpost_undrained_age_seconds',
    'Age of the oldest message in any maildrop; 0 when all are empty.',
  )
  const stored = gauge('sealpost_stored_bytes', 'Octets of the log and of the vault on this machine.', 'what')
  const free = gauge('sealpost_disk_free_bytes', 'Room where the gateway writes.', 'place')
  const expires = gauge('sealpost_certificate_expiry_timestamp_seconds', 'When the certificate expires.')
  const lifetime = gauge('sealpost_certificate_lifetime_seconds', 'For how long it is valid in all.')
  return (readings: Readings) => {
    for (const { name, ok } of readings.checks) check.set({ check: name }, ok ? 1 : 0)
    for (const [protocol, open] of Object.entries(readings.sessions)) sessions.set({ protocol }, open)
    for (const name of viewsStates) state.set({ state: name }, name === readings.viewsState ? 1 : 0)
    for (const [what, size] of Object.entries(readings.stored)) if (size !== undefined) stored.set({ what }, size)
    for (const [place, room] of Object.entries(readings.free)) if (room !== undefined) free.set({ place }, room)
    for (const [protocol, open] of Object.entries(readings.sessionsOfOne)) ofOne.set({ protocol }, open)
    for (const name of shownLimits) limit.set({ name }, readings.limits[name])
    flying.set(readings.bytesInFlight)
    owes.set(readings.storageLag)
    calls.set(readings.storageCalls)
    // What cannot be told just now is no number, and not the one of before.
    lag.set(readings.viewsLag ?? NaN)
    age.set(readings.undrainedAge ?? NaN)
    const { notBefore, notAfter } = readings.certificate
    expires.set(notAfter.getTime() / 1000)
    lifetime.set((notAfter.getTime() - notBefore.getTime()) / 1000)
  }
}

/** Under the names that every Prometheus client uses. */
const processGauges = (gauge: MakeGauge, counter: MakeCounter) => {
  gauge('process_start_time_seconds', 'When the process started.').set(Date.now() / 1000 - process.uptime())
  const resident = gauge('process_resident_memory_bytes', 'Memory of the process, all threads.')
  const cpu = counter('process_cpu_seconds_total', 'Time of processors that the process has used.')
  let counted = 0
  return () => {
    const { user, system } = process.cpuUsage()
    resident.set(process.memoryUsage.rss())
    cpu.inc((user + system) / 1e6 - counted)
    counted = (user + system) / 1e6
  }
}
