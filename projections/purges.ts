import { type MailboxId, type MessageId, origin, type VaultKey } from '../src/core/ids.ts'
import { type Page, pageOf, type PageRequest, type Row, type ViewReader } from './projection.ts'

/** A message that is to be destroyed, and where its object lies. */
export type Purgeable = { readonly messageId: MessageId; readonly mailboxId: MailboxId; readonly object: VaultKey }

const toPurgeable = ({ messageId, mailboxId, object }: Row) => ({ messageId, mailboxId, object }) as Purgeable

/** Messages of a mailbox that left its maildrop before a time (ISO 8601) and are still there, those first that left first. */
export const deletedBefore = (
  reader: ViewReader,
  { mailboxId, before, limit }: { readonly mailboxId: MailboxId; readonly before: string; readonly limit: number },
): readonly Purgeable[] => {
  const select = `select messageId, mailboxId, object from message
    where mailboxId = ? and deletedAt is not null and purge is null and deletedAt <= ? order by deletedAt limit ?`
  return reader.all(select, mailboxId, before, limit).map(toPurgeable)
}

/** Whether the vault may hold anything of the mailbox. The newest are looked at first: what came late is found at once. */
export const holdsAnything = (reader: ViewReader, mailboxId: MailboxId): boolean => {
  const select = `select 1 from message
    where mailboxId = ? and (purge is null or purge = 'decided') order by position desc limit 1`
  return reader.get(select, mailboxId) !== undefined
}

/** The next mailbox, in the order of their ids, of which messages have left the maildrop and are still there. */
export const nextWithDeleted = (reader: ViewReader, after: MailboxId | ''): MailboxId | undefined => {
  const select = `select mailboxId from message
    where mailboxId > ? and deletedAt is not null and purge is null order by mailboxId limit 1`
  return reader.get(select, after)?.['mailboxId'] as MailboxId | undefined
}

/** Messages whose destruction was decided and not recorded as done, in the order of the log. */
export const purging = (reader: ViewReader, { after = origin, limit }: PageRequest): Page<Purgeable> => {
  const select = `select messageId, mailboxId, object, position from message
    where purge = 'decided' and position > ? order by position limit ?`
  return pageOf(reader.all(select, after, limit + 1), limit, toPurgeable)
}
