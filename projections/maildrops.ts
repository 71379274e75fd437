import { type MailboxId, type MessageId, origin, type Position, type VaultKey } from '../src/core/ids.ts'
import type { Columns, Page, PageRequest, ViewReader } from './projection.ts'

/** A retrievable message: what a POP3 session needs to list it and to fetch it from the vault. */
export type RetrievableMessage = {
  readonly messageId: MessageId
  /** Octets of the plaintext. */
  readonly size: number
  /** Octets on a POP3 wire, dot-stuffing not counted. Equal to `size` when no line end needs changing. */
  readonly wireSize: number
  readonly object: VaultKey
  readonly generation: number
  readonly sealedSize: number
  readonly sealedSha256: string
}

const toRetrievable = ([messageId, size, wireSize, object, generation, sealedSize, sealedSha256]: Columns) =>
  ({ messageId, size, wireSize, object, generation, sealedSize, sealedSha256 }) as RetrievableMessage

/** The mailbox's retrievable messages, in the order in which they became so. What arrives meanwhile comes after every page. */
export const maildropOf = (
  reader: ViewReader,
  mailboxId: MailboxId,
  { after = origin, limit }: PageRequest,
): Page<RetrievableMessage> => {
  const select = `select messageId, size, wireSize, object, generation, sealedSize, sealedSha256, maildropPosition
    from message where mailboxId = ? and maildropPosition > ? order by maildropPosition limit ?`
  const rows = reader.columns(select, mailboxId, after, limit + 1)
  const shown = rows.length > limit ? rows.slice(0, limit) : rows
  return { items: shown.map(toRetrievable), next: rows.length > limit ? (shown.at(-1)?.[7] as Position) : undefined }
}

/** How many messages of the mailbox are retrievable. */
export const countMaildrop = (reader: ViewReader, mailboxId: MailboxId): number =>
  reader.get('select count(*) as n from message where mailboxId = ? and maildropPosition is not null', mailboxId)?.[
    'n'
  ] as number

/**
 * When the oldest message in the maildrops of at most `limit` mailboxes was received (ISO 8601; undefined when they are
 * empty), and the mailbox after which to go on. Costs one look into an index for each mailbox, however full it is.
 */
export const oldestInMaildrops = (
  reader: ViewReader,
  { after = '', limit }: { readonly after?: string; readonly limit: number },
): { readonly receivedAt: string | undefined; readonly next: string | undefined } => {
  // The first of each maildrop from the index alone; then the time of the first of all.
  const select = `select mailboxId, (select min(maildropPosition) from message m where m.mailboxId = mailbox.mailboxId
      and maildropPosition is not null) from mailbox where mailboxId > ? order by mailboxId limit ?`
  const rows = reader.columns(select, after, limit)
  const next = rows.length < limit ? undefined : (rows.at(-1)?.[0] as string)
  const [first] = rows.filter(([, position]) => position !== null).sort(byPosition)
  if (!first) return { receivedAt: undefined, next }
  const timeOf = 'select receivedAt from message where mailboxId = ? and maildropPosition = ?'
  return { receivedAt: reader.get(timeOf, ...first)?.['receivedAt'] as string, next }
}

const byPosition = ([, a]: Columns, [, b]: Columns) => ((a as Position) < (b as Position) ? -1 : 1)
