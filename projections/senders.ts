import type { MailboxId, SenderId } from '../src/core/ids.ts'
import type { Projection, Row, ViewReader } from './projection.ts'

/** Somebody who sends mail with a token of his own. */
export type Sender = {
  readonly senderId: SenderId
  readonly name: string | null
  /** To which he may send; null: to all. */
  readonly mailboxes: readonly MailboxId[] | null
  /** ISO 8601. */
  readonly issuedAt: string
}

/** The senders whose tokens were not revoked. */
export const senders: Projection = {
  name: 'senders',
  version: 1,
  tables: `
    create table sender (
      senderId text primary key,
      name text,
      mailboxes text,
      issuedAt text not null,
      position text not null
    ) strict, without rowid;`,
  on: {
    SenderTokenIssued: (views, { data: { senderId, name, mailboxes }, metadata, position }) => {
      const insert = 'insert into sender (senderId, name, mailboxes, issuedAt, position) values (?, ?, ?, ?, ?)'
      views.run(insert, senderId, name, mailboxes && JSON.stringify(mailboxes), metadata.at, position)
    },
    SenderTokenRevoked: (views, { data }) => {
      views.run('delete from sender where senderId = ?', data.senderId)
    },
  },
}

const toSender = ({ senderId, name, mailboxes, issuedAt }: Row): Sender => ({
  senderId: senderId as SenderId,
  name: name as string | null,
  mailboxes: mailboxes === null ? null : (JSON.parse(mailboxes as string) as MailboxId[]),
  issuedAt: issuedAt as string,
})

export const senderOf = (reader: ViewReader, senderId: SenderId): Sender | undefined => {
  const row = reader.get('select * from sender where senderId = ?', senderId)
  return row && toSender(row)
}

/** The oldest first. */
export const listSenders = (reader: ViewReader): readonly Sender[] =>
  reader.all('select * from sender order by position').map(toSender)

export const hasSenders = (reader: ViewReader): boolean => reader.get('select 1 from sender limit 1') !== undefined
