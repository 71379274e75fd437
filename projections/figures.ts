import type { MailboxId } from '../src/core/ids.ts'
import type { Row, ViewReader } from './projection.ts'

/** What a mailbox holds, and when something last came and went. Times are ISO 8601. */
export type Figures = {
  /** In the maildrop: how many, and the octets of their plaintext. */
  readonly messages: number
  readonly octets: number
  /** In the vault, those too that have left the maildrop: how many, and the octets of their sealed objects. */
  readonly sealedMessages: number
  readonly sealedOctets: number
  /** When the first message of the maildrop was received; null when it is empty. */
  readonly oldestAt: string | null
  readonly lastReceivedAt: string | null
  readonly lastRetrievedAt: string | null
}

const inVault = (row: 'old' | 'new') => `(${row}.object is not null and ${row}.purge is not 'done')`
const inMaildrop = (row: 'old' | 'new') => `(${row}.maildropPosition is not null)`

/**
 * Kept by the tables of the messages themselves, so that whatever changes a message changes its mailbox's figures: to
 * count on every look would cost a look at every message.
 */
export const figuresTables = `
  create table mailboxFigures (
    mailboxId text primary key,
    messages integer not null,
    octets integer not null,
    sealedMessages integer not null,
    sealedOctets integer not null,
    lastReceivedAt text,
    lastRetrievedAt text
  ) strict, without rowid;
  create trigger messageSealed after update of object on message when old.object is null begin
    insert into mailboxFigures values (new.mailboxId, ${inMaildrop('new')}, ${inMaildrop('new')} * new.size,
      1, new.sealedSize, new.receivedAt, null)
    on conflict (mailboxId) do update set
      messages = messages + excluded.messages, octets = octets + excluded.octets,
      sealedMessages = sealedMessages + 1, sealedOctets = sealedOctets + excluded.sealedOctets,
      lastReceivedAt = max(lastReceivedAt, excluded.lastReceivedAt);
  end;
  create trigger messageMoved after update of maildropPosition, purge on message
  when old.object is not null and
    (${inMaildrop('old')} <> ${inMaildrop('new')} or ${inVault('old')} <> ${inVault('new')}) begin
    update mailboxFigures set
      messages = messages + ${inMaildrop('new')} - ${inMaildrop('old')},
      octets = octets + (${inMaildrop('new')} - ${inMaildrop('old')}) * new.size,
      sealedMessages = sealedMessages + ${inVault('new')} - ${inVault('old')},
      sealedOctets = sealedOctets + (${inVault('new')} - ${inVault('old')}) * new.sealedSize
    where mailboxId = new.mailboxId;
  end;
  create trigger messageRetrieved after update of lastRetrievedAt on message begin
    update mailboxFigures set lastRetrievedAt = max(coalesce(lastRetrievedAt, ''), new.lastRetrievedAt)
    where mailboxId = new.mailboxId;
  end;`

const none: Figures = {
  messages: 0,
  octets: 0,
  sealedMessages: 0,
  sealedOctets: 0,
  oldestAt: null,
  lastReceivedAt: null,
  lastRetrievedAt: null,
}

const toFigures = (row: Row): Figures => ({
  messages: row['messages'] as number,
  octets: row['octets'] as number,
  sealedMessages: row['sealedMessages'] as number,
  sealedOctets: row['sealedOctets'] as number,
  oldestAt: row['oldestAt'] as string | null,
  lastReceivedAt: row['lastReceivedAt'] as string | null,
  lastRetrievedAt: row['lastRetrievedAt'] as string | null,
})

/** The figures of these mailboxes, however full they are, at the cost of a look into two indices for each. */
export const figuresOf = (
  reader: ViewReader,
  mailboxIds: readonly MailboxId[],
): ((mailboxId: MailboxId) => Figures) => {
  const select = `select f.*, (select receivedAt from message m
      where m.mailboxId = f.mailboxId and maildropPosition is not null order by maildropPosition limit 1) as oldestAt
    from mailboxFigures f where f.mailboxId in (select value from json_each(?))`
  const found = new Map(
    reader.all(select, JSON.stringify(mailboxIds)).map((row) => [row['mailboxId'] as MailboxId, toFigures(row)]),
  )
  return (mailboxId) => found.get(mailboxId) ?? none
}
