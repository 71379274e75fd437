import type { NewEvent, Recorded } from './events.ts'
import type { CommandId, Position, VaultKey } from './ids.ts'
import type { StreamName } from './streams.ts'

/** What the writer knows of the stream: it does not exist, exists at this revision, or it does not matter. */
export type Expected = 'no-stream' | 'any' | number

export type Append = {
  readonly stream: StreamName
  readonly expected: Expected
  readonly commandId: CommandId
  /** At least one; written together or not at all. */
  readonly events: readonly NewEvent[]
}

export type Appended = { readonly revision: number; readonly position: Position }

export type Subscription = { close(): Promise<void> }

/** All facts in one global order, durable, append-only. */
export type EventLog = {
  /**
   * Resolves only when the events are durable, with the last one's revision and position. A repeat with the same
   * command id answers as the first did and writes nothing. Rejects with a `GatewayError`:
   * `revision-conflict` (another writer was first, nothing written), `not-written` or `storage-full` (nothing written),
   * `outcome-unknown` (may have been written; only a repeat with the same command id may follow).
   */
  append(append: Append): Promise<Appended>
  /** At most `limit` events of one stream in order, from `revision` inclusive. A stream that does not exist is empty. */
  readStream(stream: StreamName, revision: number, limit: number): Promise<readonly Recorded[]>
  /** The last event of one stream; undefined when the stream does not exist. */
  readLast(stream: StreamName): Promise<Recorded | undefined>
  /** At most `limit` events of all streams in the global order, after `position` exclusive (`origin` for all). */
  readAll(position: Position, limit: number): Promise<readonly Recorded[]>
  /** The position of the last durable event; `origin` of an empty log. */
  head(): Promise<Position>
  /**
   * Every event after `position`: those that exist, then those to come; in order, at least once, never with a gap.
   * The next page is not delivered before `onEvents` has settled; if it rejects, the subscription ends with `onEnd`, and
   * at an event that cannot be read with its `UnreadableEvent`, after everything before it has been delivered.
   */
  subscribe(
    position: Position,
    onEvents: (events: readonly Recorded[]) => Promise<void> | void,
    onEnd: (error: unknown) => void,
  ): Subscription
  close(): Promise<void>
}

export type VaultWriter = {
  /** Takes the next octets; the promise is the back-pressure. The chunk is the writer's from then on, and may be gone. */
  write(chunk: Uint8Array): Promise<void>
  /** Resolves when the whole object and its directory entry are durable. Until then the object does not exist. */
  commit(): Promise<void>
  /** Leaves nothing behind. May follow a failed `write` or `commit`; does nothing after a `commit` that resolved. */
  abort(): Promise<void>
}

export type VaultEntry = { readonly key: VaultKey; readonly size: number }

/** Where sealed messages lie, one object each. Keys that are no `VaultKey` are refused with `request-invalid`. */
export type Vault = {
  /** Rejects with `storage-full` when there is no room, `storage-failed` otherwise; so do the writer's methods. */
  create(key: VaultKey): Promise<VaultWriter>
  /** The object's octets in chunks of at most 256 KiB. Rejects with `object-missing` before the first chunk. */
  open(key: VaultKey): AsyncIterable<Uint8Array>
  /** Durable when it resolves. Removing what does not exist succeeds. */
  remove(key: VaultKey): Promise<void>
  /** Every committed object whose key begins with `prefix`, in no particular order. */
  list(prefix: string): AsyncIterable<VaultEntry>
  close(): Promise<void>
}

/** Small named secrets. Names are `/`-separated words of `a-z 0-9 . -`; each value is written whole or not at all. */
export type KeyStore = {
  /** Durable when it resolves; replaces an older value atomically. */
  put(name: string, value: Uint8Array): Promise<void>
  /** The same where there is no value yet; whether it was written. Of several at once one writes. */
  add(name: string, value: Uint8Array): Promise<boolean>
  get(name: string): Promise<Uint8Array | undefined>
  remove(name: string): Promise<void>
  /** Names that begin with `prefix`, sorted. */
  list(prefix: string): Promise<readonly string[]>
}

/** Nothing else reads the time. */
export type Clock = { now(): Date }
export const systemClock: Clock = { now: () => new Date() }

/** What the gateway says about itself. `fields` never hold content, secrets or correspondents. */
export type Logger = {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}
