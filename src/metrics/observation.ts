import { setImmediate as nextTurn } from 'node:timers/promises'
import { oldestInMaildrops } from '../../projections/maildrops.ts'
import type { ViewReader } from '../../projections/projection.ts'
import type { Clock, EventLog } from '../core/ports.ts'
import type { Storage } from '../storage/storage.ts'
import type { ViewsStatus } from '../storage/viewsState.ts'
import type { Metrics, Readings } from './metrics.ts'
import { answered } from './answered.ts'
import { octetsBelow, octetsOf } from './octetsBelow.ts'
import { type Check, readiness } from './readiness.ts'
import { viewsLag } from './viewsLag.ts'

/** What the gateway tells those who watch over it. */
export type Observation = {
  /** Whether it does its work, point by point. Never rejects. */
  checks(): Promise<readonly Check[]>
  /** Everything that is measured, as Prometheus reads it. */
  metrics(): Promise<string>
}

export type ObservationParts = {
  readonly metrics: Metrics
  readonly log: Pick<EventLog, 'head'>
  readonly storage: Pick<Storage, 'conditions' | 'waiting' | 'lag'>
  readonly views: { readonly reader: ViewReader; status(): ViewsStatus }
  readonly sessions: () => Readings['sessions']
  readonly sessionsOfOne: () => Readings['sessions']
  readonly bytesInFlight: () => number
  /** As they are now. */
  readonly limits: Readings['limits']
  /** Of those that are shown, the one that expires first. */
  readonly certificate: () => Readings['certificate']
  readonly clock: Clock
  readonly diskReserve: () => number
  readonly data: string
  /** The files of the log, where it has any. */
  readonly logFiles: readonly string[]
  readonly vaultDir: string
}

/** Mailboxes that are looked at before others have their turn: a millisecond (measured, with 100 messages each). */
const mailboxesAtOnce = 200
/** Milliseconds for which the vault's size holds: it may be very many files. */
const vaultSizeHolds = 15 * 60 * 1000

export const observe = (parts: ObservationParts): Observation => {
  const { metrics, log, storage, views, clock, data, diskReserve, certificate } = parts
  const conditions = () => storage.conditions(data)
  const lag = viewsLag({ log, views, clock })
  const certificateExpires = () => certificate().notAfter
  const checks = readiness({ head: () => log.head(), conditions, views, lag, certificateExpires, clock, diskReserve })
  const vaultSize = vaultSizeOf(parts)
  const read = async (): Promise<Readings> => {
    const [checked, found, viewsLag, undrainedAge, logSizes] = await Promise.all([
      checks(),
      answered(conditions),
      answered(lag),
      answered(() => oldestAge(views.reader, clock)),
      answered(() => Promise.all(parts.logFiles.map(octetsOf))),
    ])
    return {
      checks: checked,
      sessions: parts.sessions(),
      sessionsOfOne: parts.sessionsOfOne(),
      bytesInFlight: parts.bytesInFlight(),
      limits: parts.limits,
      storageCalls: storage.waiting(),
      storageLag: storage.lag(),
      viewsState: views.status().state,
      viewsLag,
      undrainedAge,
      stored: {
        log: logSizes && logSizes.length > 0 ? logSizes.reduce((sum, size) => sum + size, 0) : undefined,
        vault: vaultSize(),
      },
      free: { data: found?.data.free, vault: found?.vault.free, keys: found?.keys.free },
      certificate: certificate(),
    }
  }
  return { checks, metrics: async () => metrics.text(await read()) }
}

/** Seconds since the oldest message in any maildrop was received; 0 when all are empty. */
export const oldestAge = async (reader: ViewReader, clock: Clock): Promise<number> => {
  let oldest: string | undefined
  let after: string | undefined = ''
  do {
    const { receivedAt, next } = oldestInMaildrops(reader, { after, limit: mailboxesAtOnce })
    if (receivedAt !== undefined && (oldest === undefined || receivedAt < oldest)) oldest = receivedAt
    after = next
    if (after !== undefined) await nextTurn()
  } while (after !== undefined)
  return oldest === undefined ? 0 : Math.max(0, (clock.now().getTime() - Date.parse(oldest)) / 1000)
}

/** The last size that is known; looked up anew, without waiting for it, when that is long ago. */
const vaultSizeOf = ({ vaultDir, clock }: ObservationParts): (() => number | undefined) => {
  let known: number | undefined
  let at = -Infinity
  return () => {
    if (clock.now().getTime() - at >= vaultSizeHolds) {
      at = clock.now().getTime()
      void octetsBelow(vaultDir).then((size) => (known = size))
    }
    return known
  }
}
