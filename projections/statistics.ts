import type { Recorded } from '../src/core/events.ts'
import type { Position } from '../src/core/ids.ts'
import type { Projection, Row, ViewReader, ViewWriter } from './projection.ts'

/** What happened in one minute, hour or day (UTC). */
export type Statistic = {
  /** When it began, ISO 8601. */
  readonly start: string
  readonly received: number
  readonly octetsReceived: number
  readonly retrieved: number
  /** Of the messages that were retrieved, whole or (TOP) in part. */
  readonly octetsRetrieved: number
  readonly refused: number
  readonly sessions: number
}
type Counted = Omit<Statistic, 'start'>

export type Unit = 'minute' | 'hour' | 'day'
/** Milliseconds. */
export const lengthOf: Readonly<Record<Unit, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

/** Characters of an ISO 8601 time that name its minute and its hour, and what makes a time of them again. */
const beginnings = {
  minute: [16, ':00.000Z'],
  hour: [13, ':00:00.000Z'],
  day: [10, 'T00:00:00.000Z'],
} as const

/** When the minute, hour or day began in which a time (ISO 8601, UTC) lies. */
export const startOf = (unit: Unit, at: string): string => {
  const [length, rest] = beginnings[unit]
  return `${at.slice(0, length)}${rest}`
}

const upsert = `insert into statistic (unit, start, firstPosition, lastPosition,
    received, octetsReceived, retrieved, octetsRetrieved, refused, sessions)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  on conflict (unit, start) do update set lastPosition = max(lastPosition, excluded.lastPosition),
    received = received + excluded.received, octetsReceived = octetsReceived + excluded.octetsReceived,
    retrieved = retrieved + excluded.retrieved, octetsRetrieved = octetsRetrieved + excluded.octetsRetrieved,
    refused = refused + excluded.refused, sessions = sessions + excluded.sessions`

type Sum = { -readonly [name in keyof Counted]: number } & { readonly first: Position; last: Position }

/** What a batch adds to each minute: nearly every event is about the same row, and about its hour's. */
const sumsOfMinutes = () => {
  const sums = new Map<string, Sum>()
  return {
    count: (at: string, position: Position, ...counted: readonly (readonly [keyof Counted, number])[]) => {
      const minute = startOf('minute', at)
      const sum = sums.get(minute) ?? { ...nothing, first: position, last: position }
      sums.set(minute, sum)
      sum.last = position
      for (const [what, number] of counted) sum[what] += number
    },
    write: (views: ViewWriter) => {
      for (const [minute, { first, last, ...sum }] of sums) {
        const counted = [
          sum.received,
          sum.octetsReceived,
          sum.retrieved,
          sum.octetsRetrieved,
          sum.refused,
          sum.sessions,
        ]
        for (const unit of ['minute', 'hour'] as const)
          views.run(upsert, unit, startOf(unit, minute), first, last, ...counted)
      }
    },
  }
}

/**
 * Minutes and hours in which something happened; days are sums of hours. A row also says between which positions of the
 * log its events lie, by whatever clock they were stamped: a list as of a time begins there, and not at the first event.
 * Stands after the messages in the order of folding: it looks up their sizes, which never change.
 */
export const statistics: Projection = {
  name: 'statistics',
  version: 1,
  tables: `
    create table statistic (
      unit text not null,
      start text not null,
      firstPosition text not null,
      lastPosition text not null,
      received integer not null,
      octetsReceived integer not null,
      retrieved integer not null,
      octetsRetrieved integer not null,
      refused integer not null,
      sessions integer not null,
      primary key (unit, start)
    ) strict, without rowid;`,
  on: () => {
    const { count, write } = sumsOfMinutes()
    // These count nothing, but may be the first that the log knows of a session.
    const began = (_: ViewWriter, { position, metadata }: Recorded) => count(metadata.at, position)
    return {
      on: {
        MessageReceived: (_, { data, position, metadata }) =>
          count(metadata.at, position, ['received', 1], ['octetsReceived', data.size]),
        MessageRetrieved: (views, { data, position, metadata }) => {
          const size = views.get('select size from message where messageId = ?', data.messageId)?.['size'] ?? 0
          count(metadata.at, position, ['retrieved', 1], ['octetsRetrieved', size as number])
        },
        SessionOpened: (_, { position, metadata }) => count(metadata.at, position, ['sessions', 1]),
        ProxyConnected: began,
        LoginAccepted: began,
        SessionClosed: began,
        LoginRefused: (_, { position, metadata }) => count(metadata.at, position, ['refused', 1]),
        RefusalsCounted: (_, { data, position }) => {
          const refused = Object.values(data.counts).reduce((sum, one) => sum + one, 0)
          count(data.minute, position, ['refused', refused])
        },
      },
      end: write,
    }
  },
}

const toStatistic = (row: Row): Statistic => ({
  start: row['start'] as string,
  received: row['received'] as number,
  octetsReceived: row['octetsReceived'] as number,
  retrieved: row['retrieved'] as number,
  octetsRetrieved: row['octetsRetrieved'] as number,
  refused: row['refused'] as number,
  sessions: row['sessions'] as number,
})

const sums = ['received', 'octetsReceived', 'retrieved', 'octetsRetrieved', 'refused', 'sessions']
  .map((name) => `sum(${name}) as ${name}`)
  .join(', ')

/** Every minute, hour or day from that of `since` to that of `until` (ISO 8601, UTC), those too in which nothing happened. */
export const statisticsBetween = (
  reader: ViewReader,
  { unit, since, until }: { readonly unit: Unit; readonly since: string; readonly until: string },
): readonly Statistic[] => {
  const [stored, length] = [unit === 'day' ? 'hour' : unit, beginnings[unit][0]]
  const select = `select substr(start, 1, ?) as begun, ${sums} from statistic
    where unit = ? and start >= ? and start < ? group by begun`
  const first = Date.parse(startOf(unit, since))
  const end = Date.parse(startOf(unit, until)) + lengthOf[unit]
  const rows = reader.all(select, length, stored, new Date(first).toISOString(), new Date(end).toISOString())
  const found = new Map(rows.map((row) => [row['begun'] as string, row]))
  const starts = Array.from({ length: Math.round((end - first) / lengthOf[unit]) }, (_, index) =>
    new Date(first + index * lengthOf[unit]).toISOString(),
  )
  return starts.map((start) => {
    const row = found.get(start.slice(0, length))
    return row ? toStatistic({ ...row, start }) : { ...nothing, start }
  })
}

const nothing: Counted = {
  received: 0,
  octetsReceived: 0,
  retrieved: 0,
  octetsRetrieved: 0,
  refused: 0,
  sessions: 0,
}

/** When messages were received or sessions began, ISO 8601, UTC; both ends included. */
export type Period = { readonly since?: string | undefined; readonly until?: string | undefined }

/** Between which positions of the log everything lies that is of this period; undefined when there is nothing. */
export const positionsIn = (
  reader: ViewReader,
  { since, until }: Period,
): { readonly first: Position; readonly last: Position } | undefined => {
  const select = `select min(firstPosition) as first, max(lastPosition) as last from statistic
    where unit = 'hour' and start >= ? and start <= ?`
  const [from, to] = [
    since === undefined ? '' : startOf('hour', since),
    until === undefined ? '~' : startOf('hour', until),
  ]
  const row = reader.get(select, from, to)
  return row?.['first'] == null ? undefined : { first: row['first'] as Position, last: row['last'] as Position }
}
