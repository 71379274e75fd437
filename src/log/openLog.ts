import type { GatewayError } from '../core/errors.ts'
import type { EventFinder } from '../core/eventSearch.ts'
import type { Clock, EventLog } from '../core/ports.ts'
import { readSqliteLog, sqliteLog } from './sqlite.ts'

/** Which log, and where. Values only: it crosses between threads. */
export type LogPlace =
  | { readonly engine: 'sqlite'; readonly file: string }
  /** The connection string, credentials and all. */
  | { readonly engine: 'eventstoredb'; readonly url: string }

export type OpenLogOptions = {
  readonly clock: Clock
  /** See `SqliteLogOptions`. */
  readonly onFatal: (error: GatewayError) => void
}

/** The log for its writer. Rejects with `start-refused`; a store that is away is no reason. */
export const openLog = async (place: LogPlace, options: OpenLogOptions): Promise<EventLog & Partial<EventFinder>> =>
  place.engine === 'sqlite' ? sqliteLog({ file: place.file, ...options }) : eventStore(place.url)

/** The log for who only reads. `onState`: why a store that subscriptions come from is away, undefined when it is back. */
export const readLog = async (place: LogPlace, onState?: (away: string | undefined) => void): Promise<EventLog> =>
  place.engine === 'sqlite' ? readSqliteLog({ file: place.file }) : eventStore(place.url, onState)

/** Loaded only when it is used: its libraries are large. */
const eventStore = async (url: string, onState?: (away: string | undefined) => void) => {
  const { eventStoreDbLog } = await import('./eventStoreDb.ts')
  return eventStoreDbLog({ url, ...(onState && { onState }) })
}
