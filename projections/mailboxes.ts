import { normaliseAddress, parseAddress } from '../src/core/address.ts'
import type { Recorded } from '../src/core/events.ts'
import { isMailboxId, type MailboxId, origin } from '../src/core/ids.ts'
import { emptyKeyring, type Keyring, keyringAfter, newestGeneration } from '../src/core/keyring.ts'
import { anySender, type SenderPolicy } from '../src/core/senderPolicy.ts'
import {
  mustChange,
  type Page,
  pageOf,
  type PageRequest,
  type Projection,
  type Row,
  type ViewReader,
  type ViewWriter,
} from './projection.ts'

/** Nothing of the mailbox is destroyed while it stands. `since` is ISO 8601. */
export type Hold = { readonly reason: string; readonly since: string }

/** A mailbox as it is now. */
export type Mailbox = {
  readonly mailboxId: MailboxId
  readonly name: string
  /** `deleted`: what was of it is being destroyed; `destroyed`: that is done. */
  readonly state: 'active' | 'suspended' | 'deleted' | 'destroyed'
  /** The legal hold under which it is. */
  readonly hold: Hold | undefined
  /** Normalised, in alphabetical order. */
  readonly aliases: readonly string[]
  /** age recipient under which new mail is sealed, and its generation. */
  readonly recipient: string
  readonly generation: number
  readonly keyring: Keyring
  /** What its mail clients may do through the proxy; empty lists limit nothing. */
  readonly proxy: { readonly targets: readonly string[]; readonly networks: readonly string[] }
  /** From whom it takes mail, beyond what the listeners ask of all. */
  readonly senderPolicy: SenderPolicy
  /** ISO 8601. */
  readonly createdAt: string
  /** Seconds after which messages that left the maildrop are destroyed; undefined: what is configured. */
  readonly grace: number | undefined
  /** Of the last event that changed what is said here. */
  readonly revision: number
  /** Of the last event of the mailbox's stream that this view knows; what became of its messages stands there too. */
  readonly streamRevision: number
}

const unlimited: Mailbox['proxy'] = { targets: [], networks: [] }
const unlimitedText = JSON.stringify(unlimited)

/** Addresses follow the alias streams, not MailboxCreated: their single writer says whose an address is. */
export const mailboxes: Projection = {
  name: 'mailboxes',
  version: 5,
  tables: `
    create table mailbox (
      mailboxId text primary key,
      position text not null,
      name text not null,
      state text not null,
      holdReason text,
      heldSince text,
      recipient text not null,
      generation integer not null,
      keyring text not null,
      createdAt text not null,
      proxy text not null default '${unlimitedText}',
      senderPolicy text, -- null: of anybody
      grace integer,
      revision integer not null,
      streamRevision integer not null,
      creationKey text, -- digests: of the key, and of what was asked for
      creationRequest text
    ) strict, without rowid;
    create unique index mailboxInOrder on mailbox (position);
    create index mailboxDeleted on mailbox (mailboxId) where state = 'deleted';
    create index mailboxByCreationKey on mailbox (creationKey) where creationKey is not null;
    create table mailboxAddress (alias text primary key, mailboxId text not null) strict, without rowid;
    create index mailboxAddressOf on mailboxAddress (mailboxId);`,
  on: {
    MailboxCreated: (views, event) => {
      const { data, position, metadata, revision } = event
      const { mailboxId, name, recipient, generation, idempotency } = data
      const insert = `insert into mailbox (mailboxId, position, name, state, recipient, generation, keyring, createdAt,
          revision, streamRevision, creationKey, creationRequest)
        values (?, ?, ?, 'active', ?, ?, ?, ?, ?, ?, ?, ?)`
      const keys = [recipient, generation, JSON.stringify(keyringAfter(emptyKeyring, event))]
      const creation = [idempotency?.keySha256 ?? null, idempotency?.requestSha256 ?? null]
      views.run(insert, mailboxId, position, name, ...keys, metadata.at, revision, revision, ...creation)
    },
    MailboxPasswordChanged: (views, event) => rekey(views, event),
    MailboxRecovered: (views, event) => rekey(views, event),
    MailboxKeyRotated: (views, event) => rekey(views, event),
    MailboxPasswordReset: (views, event) => rekey(views, event),
    MailboxRecoverySet: (views, event) => rekey(views, event),
    MailboxRenamed: (views, { data, revision }) => {
      mustChange(views.run('update mailbox set name = ? where mailboxId = ?', data.name, data.mailboxId))
      reach(views, data.mailboxId, revision)
    },
    MailboxAliasesChanged: (views, { data, revision }) => reach(views, data.mailboxId, revision),
    MailboxSuspended: (views, { data, revision }) => become(views, data.mailboxId, 'suspended', revision),
    MailboxResumed: (views, { data, revision }) => become(views, data.mailboxId, 'active', revision),
    MailboxProxyLimited: (views, { data: { mailboxId, targets, networks }, revision }) => {
      const update = 'update mailbox set proxy = ? where mailboxId = ?'
      mustChange(views.run(update, JSON.stringify({ targets, networks }), mailboxId))
      reach(views, mailboxId, revision)
    },
    MailboxSenderPolicySet: (views, { data: { mailboxId, ...policy }, revision }) => {
      const update = 'update mailbox set senderPolicy = ? where mailboxId = ?'
      mustChange(views.run(update, JSON.stringify(policy), mailboxId))
      reach(views, mailboxId, revision)
    },
    HoldPlaced: (views, { data, revision, metadata }) =>
      putUnder(views, data.mailboxId, { reason: data.reason, since: metadata.at }, revision),
    HoldReleased: (views, { data, revision }) => putUnder(views, data.mailboxId, undefined, revision),
    MailboxDeleted: (views, { data, revision }) => become(views, data.mailboxId, 'deleted', revision),
    MailboxDestroyed: (views, { data, revision }) => become(views, data.mailboxId, 'destroyed', revision),
    MailboxRetentionSet: (views, { data, revision }) => {
      mustChange(views.run('update mailbox set grace = ? where mailboxId = ?', data.grace, data.mailboxId))
      reach(views, data.mailboxId, revision)
    },
    MessageRestored: (views, { data, revision }) => pass(views, data.mailboxId, revision),
    PurgeDecided: (views, { data, revision }) => pass(views, data.mailboxId, revision),
    AliasReserved: (views, { data }) => {
      views.run('insert or replace into mailboxAddress (alias, mailboxId) values (?, ?)', data.alias, data.mailboxId)
    },
    AliasReleased: (views, { data }) => {
      views.run('delete from mailboxAddress where alias = ? and mailboxId = ?', data.alias, data.mailboxId)
    },
  },
}

const reach = (views: ViewWriter, mailboxId: MailboxId, revision: number) => {
  const update = 'update mailbox set revision = ?, streamRevision = ? where mailboxId = ?'
  mustChange(views.run(update, revision, revision, mailboxId))
}

const pass = (views: ViewWriter, mailboxId: MailboxId, revision: number) =>
  mustChange(views.run('update mailbox set streamRevision = ? where mailboxId = ?', revision, mailboxId))

const become = (views: ViewWriter, mailboxId: MailboxId, state: Mailbox['state'], revision: number) => {
  mustChange(views.run('update mailbox set state = ? where mailboxId = ?', state, mailboxId))
  reach(views, mailboxId, revision)
}

const putUnder = (views: ViewWriter, mailboxId: MailboxId, hold: Hold | undefined, revision: number) => {
  const update = 'update mailbox set holdReason = ?, heldSince = ? where mailboxId = ?'
  mustChange(views.run(update, hold?.reason ?? null, hold?.since ?? null, mailboxId))
  reach(views, mailboxId, revision)
}

const rekey = (views: ViewWriter, event: Recorded<KeyEvent>) => {
  const { mailboxId } = event.data
  const row = views.get('select keyring from mailbox where mailboxId = ?', mailboxId)
  mustChange(row ? 1 : 0)
  const keyring = keyringAfter(JSON.parse(row?.['keyring'] as string) as Keyring, event)
  const { recipient, generation } = newestGeneration(keyring) ?? { recipient: '', generation: 0 }
  const update = 'update mailbox set keyring = ?, recipient = ?, generation = ? where mailboxId = ?'
  views.run(update, JSON.stringify(keyring), recipient, generation, mailboxId)
  reach(views, mailboxId, event.revision)
}

type KeyEvent =
  'MailboxPasswordChanged' | 'MailboxRecovered' | 'MailboxKeyRotated' | 'MailboxPasswordReset' | 'MailboxRecoverySet'

const columns = `m.mailboxId, m.position, m.name, m.state, m.holdReason, m.heldSince, m.recipient, m.generation, m.keyring, m.createdAt, m.proxy, m.senderPolicy, m.grace, m.revision, m.streamRevision,
  (select group_concat(alias, char(10) order by alias) from mailboxAddress a where a.mailboxId = m.mailboxId) as aliases`

const toMailbox = (row: Row): Mailbox => ({
  mailboxId: row['mailboxId'] as MailboxId,
  name: row['name'] as string,
  state: row['state'] as Mailbox['state'],
  hold: holdIn(row),
  aliases: aliasesIn(row),
  recipient: row['recipient'] as string,
  generation: row['generation'] as number,
  keyring: JSON.parse(row['keyring'] as string) as Keyring,
  proxy: row['proxy'] === unlimitedText ? unlimited : (JSON.parse(row['proxy'] as string) as Mailbox['proxy']),
  senderPolicy: policyIn(row),
  createdAt: row['createdAt'] as string,
  grace: (row['grace'] as number | null) ?? undefined,
  revision: row['revision'] as number,
  streamRevision: row['streamRevision'] as number,
})

/** An address has no line end in it, though spaces between quotes. */
const aliasesIn = ({ aliases }: Row) => (aliases === null ? [] : (aliases as string).split('\n'))

const holdIn = ({ holdReason, heldSince }: Row): Hold | undefined =>
  holdReason === null ? undefined : { reason: holdReason as string, since: heldSince as string }

const policyIn = ({ senderPolicy }: Row): SenderPolicy =>
  senderPolicy === null ? anySender : (JSON.parse(senderPolicy as string) as SenderPolicy)

const found = (row: Row | undefined) => row && toMailbox(row)

export const mailboxOf = (reader: ViewReader, mailboxId: MailboxId): Mailbox | undefined =>
  found(reader.get(`select ${columns} from mailbox m where m.mailboxId = ?`, mailboxId))

/** The mailbox that an alias belongs to. An address made of a mailbox id is no alias: see `mailboxOf`. */
export const mailboxByAddress = (reader: ViewReader, normalisedAddress: string): Mailbox | undefined => {
  const select = `select ${columns} from mailboxAddress d join mailbox m on m.mailboxId = d.mailboxId where d.alias = ?`
  return found(reader.get(select, normalisedAddress))
}

/** The mailbox that somebody means by `name`: its id, its id at the gateway's domain, or an alias (as yet not normalised). */
export const mailboxNamed = (reader: ViewReader, domain: string, name: string): Mailbox | undefined => {
  const address = parseAddress(name.includes('@') ? name : `${name}@${domain}`)
  if (!address) return undefined
  const id = address.local.toLowerCase()
  return isMailboxId(id) && address.domain.toLowerCase() === domain
    ? mailboxOf(reader, id)
    : mailboxByAddress(reader, normaliseAddress(address))
}

/** The same among a few mailboxes; no other is looked at. */
export const mailboxAmong = (
  reader: ViewReader,
  domain: string,
  { name, scope }: { readonly name: string; readonly scope: ReadonlySet<MailboxId> },
): Mailbox | undefined => {
  const address = parseAddress(name.includes('@') ? name : `${name}@${domain}`)
  if (!address) return undefined
  const id = address.domain.toLowerCase() === domain ? address.local.toLowerCase() : undefined
  const alias = normaliseAddress(address)
  return [...scope]
    .map((mailboxId) => mailboxOf(reader, mailboxId))
    .find((mailbox) => mailbox?.mailboxId === id || mailbox?.aliases.includes(alias))
}

/** What was created under an idempotency key, by the digest of the key. */
export const mailboxCreatedUnder = (
  reader: ViewReader,
  keySha256: string,
): { readonly mailboxId: MailboxId; readonly requestSha256: string } | undefined => {
  const row = reader.get('select mailboxId, creationRequest from mailbox where creationKey = ?', keySha256)
  return row && { mailboxId: row['mailboxId'] as MailboxId, requestSha256: row['creationRequest'] as string }
}

/** The deleted mailboxes of which something may still be there. */
export const deletedMailboxes = (reader: ViewReader): readonly MailboxId[] =>
  reader.all("select mailboxId from mailbox where state = 'deleted'").map((row) => row['mailboxId'] as MailboxId)

type Listed = PageRequest & { readonly only?: ReadonlySet<MailboxId> | undefined }

/** In the order in which they were created, those not that were deleted; `only` those of a few. */
export const listMailboxes = (reader: ViewReader, { after = origin, limit, only }: Listed): Page<Mailbox> => {
  const among = only ? 'and m.mailboxId in (select value from json_each(?))' : ''
  const select = `select ${columns} from mailbox m where m.position > ? and m.state in ('active', 'suspended') ${among}
    order by m.position limit ?`
  const ids = only ? [JSON.stringify([...only])] : []
  return pageOf(reader.all(select, after, ...ids, limit + 1), limit, toMailbox)
}
