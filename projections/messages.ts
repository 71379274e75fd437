import type { SenderChecks, Source } from '../src/core/events.ts'
import {
  type MailboxId,
  type MessageId,
  origin,
  type Position,
  type SessionId,
  type VaultKey,
} from '../src/core/ids.ts'
import type { StreamName } from '../src/core/streams.ts'
import { figuresTables } from './figures.ts'
import {
  mustChange,
  type Page,
  pageOf,
  type PageRequest,
  type Projection,
  type Row,
  type ViewReader,
} from './projection.ts'
import { type OrderedPage, search } from './search.ts'
import type { Period } from './statistics.ts'

/**
 * `pending`: the remote server has not answered yet. `refused` is never retrievable; `accepted` and `unknown` (it did not
 * answer, or the gateway ended before it did) are.
 */
export type Relay = 'pending' | 'accepted' | 'unknown' | 'refused'

/**
 * `pending` and `refused`: sent through the proxy, and not, or not yet, taken by the server. `deleted` has left the maildrop.
 * `purging`: it has been decided to destroy it, and it may be gone already.
 */
export type MessageState = 'pending' | 'refused' | 'retrievable' | 'deleted' | 'purging' | 'purged'

/** A message: what is known of it without opening it. Times are ISO 8601. */
export type Message = {
  readonly messageId: MessageId
  readonly mailboxId: MailboxId
  /** Octets of the plaintext. */
  readonly size: number
  /** Octets on a POP3 wire, dot-stuffing not counted. */
  readonly wireSize: number
  readonly source: Source
  /** The server that a proxy connection had dialled for it, `name:port`. */
  readonly target: string | undefined
  /** What became of a message that a client sent through the proxy. */
  readonly relay: Relay | undefined
  /** What was recorded about its sender. */
  readonly senderChecks: SenderChecks | undefined
  readonly sessionId: SessionId
  readonly receivedAt: string
  readonly object: VaultKey
  readonly generation: number
  readonly sealedSize: number
  readonly sealedSha256: string
  /** How often it was opened for somebody, whole or (TOP) its beginning. */
  readonly retrievals: number
  readonly lastRetrievedAt: string | undefined
  readonly state: MessageState
  /** When a POP3 client's QUIT took it out of the maildrop. */
  readonly deletedAt: string | undefined
  /** When it was destroyed. */
  readonly purgedAt: string | undefined
}

/**
 * Every message, for good; readers see it from MessageSealed on. A maildrop (see maildrops.ts) is a selection of them, in
 * the order in which they became retrievable: at MessageSealed, or, what a client sent, at MessageRelayed. As tables of their own they would double what one mail
 * costs to fold, so `maildropPosition` marks them, and an index holds just these.
 */
export const messages: Projection = {
  name: 'messages',
  version: 7,
  tables: `
    create table message (
      messageId text primary key,
      mailboxId text not null,
      position text not null,
      size integer not null,
      wireSize integer not null,
      source text not null,
      target text,
      relay text,
      node text, -- of the gateway that is to settle what is pending
      origin text, -- the fingerprint's
      content text,
      senderChecks text, -- JSON
      sessionId text not null,
      receivedAt text not null,
      object text,
      generation integer,
      sealedSize integer,
      sealedSha256 text,
      maildropPosition text,
      retrievals integer not null default 0,
      lastRetrievedAt text,
      deletedAt text,
      purge text, -- decided, done
      purgedAt text,
      mentions text -- events of other streams that are about it: stream@revision, in their order
    ) strict, without rowid;
    create index messageInOrder on message (mailboxId, position);
    create index messageOfAll on message (position);
    create index messagePending on message (node, position) where relay = 'pending';
    create index messageDeleted on message (mailboxId, deletedAt) where deletedAt is not null and purge is null;
    create index messagePurging on message (position) where purge = 'decided';
    create index messageOrigin on message (mailboxId, origin, position) where origin is not null;
    create index messageInMaildrop on message (mailboxId, maildropPosition) where maildropPosition is not null;
    ${figuresTables}`,
  on: {
    MessageReceived: (views, { data, position, metadata }) => {
      const { messageId, mailboxId, size, wireSize, source, sessionId, target, fingerprint, senderChecks } = data
      const insert = `insert into message (messageId, mailboxId, position, size, wireSize, source, sessionId, receivedAt,
          target, relay, node, origin, content, senderChecks)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
      const relay = source === 'smtp-proxy' ? 'pending' : null
      const waiting = relay && metadata.node
      const proxied = [target ?? null, relay, waiting, fingerprint?.origin ?? null, fingerprint?.content ?? null]
      const facts = [messageId, mailboxId, position, size, wireSize, source, sessionId, metadata.at]
      views.run(insert, ...facts, ...proxied, senderChecks ? JSON.stringify(senderChecks) : null)
    },
    MessageSealed: (views, { data, position }) => {
      const { messageId, object, generation, sealedSize, sealedSha256 } = data
      const update = `update message set object = ?, generation = ?, sealedSize = ?, sealedSha256 = ?,
        maildropPosition = case when relay is null then ? end where messageId = ?`
      mustChange(views.run(update, object, generation, sealedSize, sealedSha256, position, messageId))
    },
    MessageRelayed: (views, { data, position }) => {
      const update = 'update message set relay = ?, maildropPosition = ? where messageId = ?'
      mustChange(views.run(update, data.outcome, position, data.messageId))
    },
    MessageRelayRefused: (views, { data }) => {
      mustChange(views.run("update message set relay = 'refused' where messageId = ?", data.messageId))
    },
    MessageRetrieved: (views, { data, metadata }) => {
      const update = 'update message set retrievals = retrievals + 1, lastRetrievedAt = ? where messageId = ?'
      mustChange(views.run(update, metadata.at, data.messageId))
    },
    MaildropUpdated: (views, { data, metadata, ...event }) => {
      const update = `update message set maildropPosition = null, deletedAt = coalesce(deletedAt, ?), ${mentioned}`
      const mention = mentionOf(event)
      for (const messageId of data.deleted) views.run(update, metadata.at, mention, messageId, data.mailboxId)
    },
    MailboxDeleted: (views, { data, metadata, ...event }) => {
      const update = `update message set maildropPosition = null, deletedAt = coalesce(deletedAt, ?), ${mentionAdded}
        where mailboxId = ? and position <= ? and purge is null and object is not null and relay is not 'pending'`
      views.run(update, metadata.at, mentionOf(event), data.mailboxId, data.through)
    },
    MessageRestored: (views, { data, position, ...event }) => {
      const update = `update message set maildropPosition = ?, deletedAt = null, ${mentioned}`
      mustChange(views.run(update, position, mentionOf(event), data.messageId, data.mailboxId))
    },
    PurgeDecided: (views, { data, ...event }) => {
      const update = `update message set maildropPosition = null, purge = 'decided', ${mentioned}`
      const mention = mentionOf(event)
      for (const messageId of data.messageIds) views.run(update, mention, messageId, data.mailboxId)
    },
    RecordOpened: (views, { data, ...event }) => {
      const { record, messageId, mailboxId } = data
      if (record !== 'plaintext' || messageId === undefined || mailboxId === undefined) return
      views.run(`update message set ${mentioned}`, mentionOf(event), messageId, mailboxId)
    },
    MessagePurged: (views, { data, metadata }) => {
      const update = "update message set purge = 'done', purgedAt = coalesce(purgedAt, ?) where messageId = ?"
      mustChange(views.run(update, metadata.at, data.messageId))
    },
  },
}

const mentionAdded = "mentions = coalesce(mentions || ' ', '') || ?"
const mentioned = `${mentionAdded} where messageId = ? and mailboxId = ?`
const mentionOf = ({ stream, revision }: { readonly stream: StreamName; readonly revision: number }) =>
  `${stream}@${revision}`

const stateOf = ({ purge, relay, maildropPosition }: Row): MessageState => {
  if (purge !== null) return purge === 'done' ? 'purged' : 'purging'
  if (relay === 'pending' || relay === 'refused') return relay
  return maildropPosition === null ? 'deleted' : 'retrievable'
}

const toMessage = (row: Row): Message => ({
  messageId: row['messageId'] as MessageId,
  mailboxId: row['mailboxId'] as MailboxId,
  size: row['size'] as number,
  wireSize: row['wireSize'] as number,
  source: row['source'] as Source,
  target: (row['target'] as string | null) ?? undefined,
  relay: (row['relay'] as Relay | null) ?? undefined,
  // A handler above wrote it.
  senderChecks: typeof row['senderChecks'] === 'string' ? (JSON.parse(row['senderChecks']) as SenderChecks) : undefined,
  sessionId: row['sessionId'] as SessionId,
  receivedAt: row['receivedAt'] as string,
  object: row['object'] as VaultKey,
  generation: row['generation'] as number,
  sealedSize: row['sealedSize'] as number,
  sealedSha256: row['sealedSha256'] as string,
  retrievals: row['retrievals'] as number,
  lastRetrievedAt: (row['lastRetrievedAt'] as string | null) ?? undefined,
  state: stateOf(row),
  deletedAt: (row['deletedAt'] as string | null) ?? undefined,
  purgedAt: (row['purgedAt'] as string | null) ?? undefined,
})

export const messageOf = (reader: ViewReader, messageId: MessageId): Message | undefined => {
  const row = reader.get('select * from message where messageId = ? and object is not null', messageId)
  return row && toMessage(row)
}

/** Where events of other streams lie that are about a message, in the order of the log. */
export const mentionsOf = (
  reader: ViewReader,
  messageId: MessageId,
): readonly { readonly stream: StreamName; readonly revision: number }[] => {
  const mentions = reader.get('select mentions from message where messageId = ?', messageId)?.['mentions']
  if (typeof mentions !== 'string') return []
  return mentions.split(' ').map((mention) => {
    const at = mention.lastIndexOf('@')
    // A handler above wrote the stream's name.
    return { stream: mention.slice(0, at) as StreamName, revision: Number(mention.slice(at + 1)) }
  })
}

/** As `stateOf`, for SQL. */
const stateInSql = `case when purge = 'done' then 'purged' when purge is not null then 'purging'
  when relay in ('pending', 'refused') then relay when maildropPosition is null then 'deleted' else 'retrievable' end`

export type MessageFilter = {
  readonly mailboxId?: MailboxId | undefined
  /** Only those of a few mailboxes. */
  readonly only?: ReadonlySet<MailboxId> | undefined
  readonly source?: Source | undefined
  readonly state?: MessageState | undefined
  /** When it was received. */
  readonly period: Period
}

/** Messages of one mailbox or of all that match; a page may hold fewer than asked for, even none, and yet have a next one. */
export const findMessages = (
  reader: ViewReader,
  { mailboxId, only, source, state, period }: MessageFilter,
  page: OrderedPage,
): Page<Message> =>
  search(reader, page, {
    table: 'message',
    period,
    within: [['mailboxId = ?', [mailboxId]]],
    shown: 'object is not null',
    matching: [
      ['mailboxId in (select value from json_each(?))', [only && JSON.stringify([...only])]],
      ['source = ?', [source]],
      [`${stateInSql} = ?`, [state]],
      ['receivedAt >= ?', [period.since]],
      ['receivedAt <= ?', [period.until]],
    ],
    toItem: toMessage,
  })

/** A mailbox's messages, deleted ones too, in the order of the log: what arrives comes after every page. */
export const listMessages = (
  reader: ViewReader,
  { mailboxId, after = origin, limit }: PageRequest & { readonly mailboxId: MailboxId },
): Page<Message> => {
  const select = `select * from message where mailboxId = ? and position > ? and object is not null
    order by position limit ?`
  return pageOf(reader.all(select, mailboxId, after, limit + 1), limit, toMessage)
}

/** The newest message of the mailbox that a proxy found in this place, by the digests of its fingerprint. */
export const recordedFrom = (
  reader: ViewReader,
  mailboxId: MailboxId,
  origin: string,
): { readonly messageId: MessageId; readonly content: string } | undefined => {
  const select = `select messageId, content from message
    where mailboxId = ? and origin = ? and object is not null order by position desc limit 1`
  const row = reader.get(select, mailboxId, origin)
  return row && { messageId: row['messageId'] as MessageId, content: row['content'] as string }
}

/** How many messages of the mailbox were sent through the proxy and are not answered yet. */
export const countPending = (reader: ViewReader, mailboxId: MailboxId): number =>
  reader.get("select count(*) as n from message where mailboxId = ? and relay = 'pending'", mailboxId)?.['n'] as number

/** Messages from before a position of whose relaying this gateway has not written the outcome, in the order of the log. */
export const pendingRelays = (
  reader: ViewReader,
  node: string | undefined,
  { after = origin, before, limit }: PageRequest & { readonly before: Position },
): Page<Message> => {
  const select = `select * from message
    where relay = 'pending' and node = coalesce(?, node) and position > ? and position < ? order by position limit ?`
  return pageOf(reader.all(select, node ?? null, after, before, limit + 1), limit, toMessage)
}
