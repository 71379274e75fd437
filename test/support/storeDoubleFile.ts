import { EventEmitter } from 'node:events'
import { DatabaseSync } from 'node:sqlite'

// Where the double of EventStoreDB's protocol keeps its events: what it has committed outlives its process.

export type DoubleEvent = {
  readonly position: number
  readonly stream: string
  readonly revision: number
  readonly id: string
  readonly type: string
  readonly contentType: string
  readonly data: Uint8Array
  readonly metadata: Uint8Array
  /** Milliseconds since the epoch. */
  readonly created: number
}

export type Proposed = Pick<DoubleEvent, 'id' | 'type' | 'contentType' | 'data' | 'metadata'>
export type DoubleExpected = 'any' | 'no-stream' | 'stream-exists' | number

export type DoubleOutcome =
  /** `position` is missing for some repeats, as it is with the real server. */
  | { readonly is: 'written'; readonly revision: number; readonly position: number | undefined }
  | { readonly is: 'wrong-version'; readonly current: number | undefined }
  | { readonly is: 'deleted' }

export type DoubleFile = {
  append(stream: string, expected: DoubleExpected, events: readonly Proposed[]): DoubleOutcome
  /** At most `limit`, from `revision` on in the direction. */
  ofStream(stream: string, revision: number | 'end', backwards: boolean, limit: number): readonly DoubleEvent[]
  /** Forwards at or after, backwards before, `position`. */
  ofAll(position: number | 'end', backwards: boolean, limit: number): readonly DoubleEvent[]
  tombstone(stream: string): void
  /** Calls back after every commit, until the returned function is called. */
  onCommit(listener: () => void): () => void
  close(): void
}

const schema = `
  create table if not exists event (position integer primary key, stream text, revision integer, id text, type text,
    contentType text, data blob, metadata blob, created integer, unique (stream, revision)) strict;
  create table if not exists tombstone (stream text primary key) strict;`

/** As the server's cache of recent event ids: repeats at any revision are known as long as it holds them, and no longer. */
const recentIds = 100_000

/** `noise` puts events of the store's own between those that are appended. */
export const openDoubleFile = (file: string, { noise }: { readonly noise: boolean }): DoubleFile => {
  const db = new DatabaseSync(file)
  // What a killed process has handed to the system stays: no fsync is needed for that.
  db.exec(`pragma journal_mode = wal; pragma synchronous = off; ${schema}`)
  const commits = new EventEmitter().setMaxListeners(0)
  const recent = new Map<string, DoubleEvent>()
  const insert = db.prepare('insert into event values (?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const last = db.prepare('select max(revision) as revision from event where stream = ?')
  const at = db.prepare('select id, position from event where stream = ? and revision = ?')
  const dead = db.prepare('select 1 from tombstone where stream = ?')
  const ends = db.prepare('select max(position) as position, max(created) as created from event').get()
  let tail = Number(ends?.['position'] ?? 0)
  let clock = Number(ends?.['created'] ?? 0)

  const put = (stream: string, revision: number, event: Proposed) => {
    // Offsets into a log: they grow by the size of what is written.
    tail += 100 + event.data.length + event.metadata.length
    clock = Math.max(clock, Date.now())
    const { id, type, contentType, data, metadata } = event
    insert.run(tail, stream, revision, id, type, contentType, data, metadata, clock)
    recent.set(id, { ...event, position: tail, stream, revision, created: clock })
    if (recent.size > recentIds) recent.delete(recent.keys().next().value ?? '')
  }
  const lastOf = (stream: string) => (last.get(stream)?.['revision'] as number | null | undefined) ?? -1

  const makeNoise = () => {
    const event = { id: crypto.randomUUID(), type: '$statsCollected', contentType: 'application/json' }
    put('$stats-127.0.0.1:2113', lastOf('$stats-127.0.0.1:2113') + 1, {
      ...event,
      data: Buffer.from('{}'),
      metadata: Buffer.from('{}'),
    })
  }

  /** What is there already of a repeat; undefined when it is none. */
  const repeated = (
    stream: string,
    expected: DoubleExpected,
    current: number,
    events: readonly Proposed[],
  ): DoubleOutcome | undefined => {
    const conflict = { is: 'wrong-version', current: current < 0 ? undefined : current } as const
    if (expected === 'any' || expected === 'stream-exists') {
      const known = events.map(({ id }) => recent.get(id)).map((one) => (one?.stream === stream ? one : undefined))
      const end = known.at(-1)
      if (known[0] === undefined) return undefined
      return known.includes(undefined) || !end
        ? conflict
        : { is: 'written', revision: end.revision, position: end.position }
    }
    const first = expected === 'no-stream' ? 0 : expected + 1
    if (first > current) return undefined
    const found = events.map(({ id }, index) =>
      at.get(stream, first + index)?.['id'] === id ? first + index : undefined,
    )
    if (found.includes(undefined)) return conflict
    return { is: 'written', revision: first + events.length - 1, position: undefined }
  }

  const write = (stream: string, expected: DoubleExpected, events: readonly Proposed[]): DoubleOutcome => {
    if (dead.get(stream)) return { is: 'deleted' }
    const current = lastOf(stream)
    const before = repeated(stream, expected, current, events)
    if (before) return before
    const wanted = expected === 'no-stream' ? -1 : expected
    if (typeof wanted === 'number' && wanted !== current)
      return { is: 'wrong-version', current: current < 0 ? undefined : current }
    if (noise) makeNoise()
    events.forEach((event, index) => put(stream, current + 1 + index, event))
    const position = tail
    if (noise) makeNoise()
    return { is: 'written', revision: current + events.length, position }
  }

  const rows = (found: unknown) => found as readonly DoubleEvent[] // the table's columns and strict types
  const largest = Number.MAX_SAFE_INTEGER
  const select = (where: string, backwards: boolean) =>
    db.prepare(`select * from event where ${where} order by position ${backwards ? 'desc' : 'asc'} limit ?`)
  const statements = {
    streamOn: select('stream = ? and revision >= ?', false),
    streamBack: select('stream = ? and revision <= ?', true),
    allOn: select('position >= ?', false),
    allBack: select('position < ?', true),
  }
  return {
    append: (stream, expected, events) => {
      db.exec('begin immediate')
      const outcome = write(stream, expected, events)
      db.exec('commit')
      commits.emit('commit')
      return outcome
    },
    ofStream: (stream, revision, backwards, limit) => {
      const from = revision === 'end' ? largest : revision
      return rows((backwards ? statements.streamBack : statements.streamOn).all(stream, from, limit))
    },
    ofAll: (position, backwards, limit) => {
      const from = position === 'end' ? largest : position
      return rows((backwards ? statements.allBack : statements.allOn).all(from, limit))
    },
    tombstone: (stream) => void db.prepare('insert or ignore into tombstone values (?)').run(stream),
    onCommit: (listener) => {
      commits.on('commit', listener)
      return () => commits.off('commit', listener)
    },
    close: () => db.close(),
  }
}
