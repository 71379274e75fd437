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
