import type { Protocol, Recorded, SessionOutcome, TlsFacts } from '../src/core/events.ts'
import { type MailboxId, origin, type Position, type SessionId } from '../src/core/ids.ts'
import { type Page, pageOf, type PageRequest, type Projection, type Row, type ViewReader } from './projection.ts'
import { type OrderedPage, search } from './search.ts'
import type { Period } from './statistics.ts'

/**
 * A session that mattered, or a proxy connection on behalf of one. SessionOpened is written without waiting for it, so a session may be known only by its login
 * or its end: what is not in the log is undefined. Times are ISO 8601.
 */
export type Session = {
  readonly sessionId: SessionId
  /** The gateway that it was with. */
  readonly node: string
  readonly protocol: Protocol | undefined
  /** Of the peer: the client's, or the remote server's. */
  readonly remoteAddress: string | undefined
  /** The session on whose behalf this proxy connection is. */
  readonly clientSessionId: SessionId | undefined
  /** The server that it has dialled, `name:port`. */
  readonly target: string | undefined
  readonly tls: TlsFacts
  readonly openedAt: string | undefined
  /** The mailbox that a POP3 client logged in to. */
  readonly mailboxId: MailboxId | undefined
  readonly closedAt: string | undefined
  readonly outcome: SessionOutcome | undefined
  readonly octetsIn: number | undefined
  readonly octetsOut: number | undefined
}

export const sessions: Projection = {
  name: 'sessions',
  version: 4,
  tables: `
    create table session (
      sessionId text primary key,
      node text not null,
      position text not null,
      at text not null, -- of its first event
      protocol text,
      remoteAddress text,
      clientSessionId text,
      target text,
      tlsVersion text,
      tlsCipher text,
      openedAt text,
      mailboxId text,
      closedAt text,
      outcome text,
      octetsIn integer,
      octetsOut integer
    ) strict, without rowid;
    create unique index sessionInOrder on session (position);
    create index sessionLive on session (position) where closedAt is null;
    create index sessionOfMailbox on session (mailboxId, position) where mailboxId is not null;
    create index sessionOpen on session (node, position) where closedAt is null;`,
  on: {
    SessionOpened: (views, event) => {
      const { protocol, remoteAddress, tls } = event.data
      const upsert = `insert into session
          (sessionId, node, position, at, protocol, remoteAddress, tlsVersion, tlsCipher, openedAt)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?)
        on conflict (sessionId) do update set protocol = excluded.protocol, remoteAddress = excluded.remoteAddress,
          tlsVersion = coalesce(tlsVersion, excluded.tlsVersion), tlsCipher = coalesce(tlsCipher, excluded.tlsCipher),
          openedAt = excluded.openedAt`
      const of = [protocol, remoteAddress, tls?.version ?? null, tls?.cipher ?? null, event.metadata.at]
      views.run(upsert, ...keyOf(event), ...of)
    },
    ProxyConnected: (views, event) => {
      const { clientSessionId, protocol, target, remoteAddress, tls } = event.data
      const insert = `insert into session (sessionId, node, position, at, protocol, remoteAddress, clientSessionId, target,
          tlsVersion, tlsCipher, openedAt)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
      const of = [protocol, remoteAddress, clientSessionId, target, tls?.version ?? null, tls?.cipher ?? null]
      views.run(insert, ...keyOf(event), ...of, event.metadata.at)
    },
    LoginAccepted: (views, event) => {
      const { mailboxId, tls } = event.data
      const upsert = `insert into session (sessionId, node, position, at, mailboxId, tlsVersion, tlsCipher)
        values (?, ?, ?, ?, ?, ?, ?)
        on conflict (sessionId) do update set mailboxId = excluded.mailboxId,
          tlsVersion = excluded.tlsVersion, tlsCipher = excluded.tlsCipher`
      const of = [mailboxId, tls?.version ?? null, tls?.cipher ?? null]
      views.run(upsert, ...keyOf(event), ...of)
    },
    SessionClosed: (views, event) => {
      const { outcome, octetsIn, octetsOut } = event.data
      const upsert = `insert into session (sessionId, node, position, at, closedAt, outcome, octetsIn, octetsOut)
        values (?, ?, ?, ?, ?, ?, ?, ?)
        on conflict (sessionId) do update set closedAt = excluded.closedAt, outcome = excluded.outcome,
          octetsIn = excluded.octetsIn, octetsOut = excluded.octetsOut`
      views.run(upsert, ...keyOf(event), event.metadata.at, outcome, octetsIn, octetsOut)
    },
  },
}

/** The session, the gateway that it was with, and place and time of its first event. */
const keyOf = ({ stream, metadata, position }: Recorded) =>
  [stream.slice('session-'.length), metadata.node, position, metadata.at] as const

const tlsOf = ({ tlsVersion, tlsCipher }: Row): TlsFacts =>
  tlsVersion === null ? null : { version: tlsVersion as string, cipher: tlsCipher as string }

const toSession = (row: Row): Session => ({
  sessionId: row['sessionId'] as SessionId,
  node: row['node'] as string,
  protocol: (row['protocol'] as Protocol | null) ?? undefined,
  remoteAddress: (row['remoteAddress'] as string | null) ?? undefined,
  clientSessionId: (row['clientSessionId'] as SessionId | null) ?? undefined,
  target: (row['target'] as string | null) ?? undefined,
  tls: tlsOf(row),
  openedAt: (row['openedAt'] as string | null) ?? undefined,
  mailboxId: (row['mailboxId'] as MailboxId | null) ?? undefined,
  closedAt: (row['closedAt'] as string | null) ?? undefined,
  outcome: (row['outcome'] as SessionOutcome | null) ?? undefined,
  octetsIn: (row['octetsIn'] as number | null) ?? undefined,
  octetsOut: (row['octetsOut'] as number | null) ?? undefined,
})

export const sessionOf = (reader: ViewReader, sessionId: SessionId): Session | undefined => {
  const row = reader.get('select * from session where sessionId = ?', sessionId)
  return row && toSession(row)
}

export type SessionFilter = {
  /** `live` have no end in the log. */
  readonly state?: 'live' | 'past' | undefined
  readonly mailboxId?: MailboxId | undefined
  /** Only those of a few mailboxes. */
  readonly only?: ReadonlySet<MailboxId> | undefined
  readonly protocol?: Protocol | undefined
  readonly remoteAddress?: string | undefined
  readonly outcome?: SessionOutcome | undefined
  readonly node?: string | undefined
  /** When it began. */
  readonly period: Period
}

/** Sessions that match; a page may hold fewer than asked for, even none, and yet have a next one. */
export const findSessions = (
  reader: ViewReader,
  { state, mailboxId, only, protocol, remoteAddress, outcome, node, period }: SessionFilter,
  page: OrderedPage,
): Page<Session> =>
  search(reader, page, {
    table: 'session',
    period,
    within: [...(state === 'live' ? [['closedAt is null', []] as const] : []), ['mailboxId = ?', [mailboxId]]],
    matching: [
      ['mailboxId in (select value from json_each(?))', [only && JSON.stringify([...only])]],
      ...(state === 'past' ? [['closedAt is not null', []] as const] : []),
      ['protocol = ?', [protocol]],
      ['remoteAddress = ?', [remoteAddress]],
      ['outcome = ?', [outcome]],
      ['node = ?', [node]],
      ['at >= ?', [period.since]],
      ['at <= ?', [period.until]],
    ],
    toItem: toSession,
  })

/** In the order in which they opened. */
export const listSessions = (reader: ViewReader, { after = origin, limit }: PageRequest): Page<Session> => {
  const select = 'select * from session where position > ? order by position limit ?'
  return pageOf(reader.all(select, after, limit + 1), limit, toSession)
}

/** Sessions with this gateway, or with any, that are in the log without an end, in the order in which they opened. */
export const openSessions = (
  reader: ViewReader,
  node: string | undefined,
  { after = origin, before, limit }: PageRequest & { readonly before: Position },
): Page<Session> => {
  const select = `select * from session
    where closedAt is null and node = coalesce(?, node) and position > ? and position < ? order by position limit ?`
  return pageOf(reader.all(select, node ?? null, after, before, limit + 1), limit, toSession)
}
