import type { MailboxState } from '../../actors/mailbox.ts'
import type { EventType } from '../core/events.ts'
import type { MailboxId } from '../core/ids.ts'
import { emptyKeyring, type Keyring, keyringAfter } from '../core/keyring.ts'
import type { EventLog, Expected } from '../core/ports.ts'
import { mailboxStream } from '../core/streams.ts'
import type { Ring } from '../keys/ring.ts'
import { nobody } from '../keys/unlock.ts'
import { evolve } from './decide.ts'
import { eventsOf } from '../core/appending.ts'

/** A mailbox as its stream tells it up to some event. */
export type MailboxAsOf = {
  readonly state: MailboxState
  /** Of the last event that changed what is shown of the mailbox; -1 before the first. */
  readonly revision: number
  /** Where the stream goes on. */
  readonly next: Expected
  readonly keyring: Keyring
}

const beforeAll: MailboxAsOf = { state: 'absent', revision: -1, next: 'no-stream', keyring: emptyKeyring }

export type NewestParts = {
  readonly log: Pick<EventLog, 'readStream'>
  readonly views: {
    /** The mailbox as the views know it. What has happened since is read from its stream, and no more than that. */
    mailboxAsOf(mailboxId: MailboxId): MailboxAsOf | undefined
  }
}

/** Whoever changes the mailbox need not know what became of its messages. */
const isOfMessages = (type: EventType) => type === 'PurgeDecided' || type === 'MessageRestored'

/** The mailbox as of the end of its stream. */
export const newestOf = async ({ log, views }: NewestParts, mailboxId: MailboxId): Promise<MailboxAsOf> => {
  let known = views.mailboxAsOf(mailboxId) ?? beforeAll
  const from = typeof known.next === 'number' ? known.next + 1 : 0
  for await (const event of eventsOf(log, mailboxStream(mailboxId), from))
    known = {
      state: evolve(known.state, event),
      revision: isOfMessages(event.type) ? known.revision : event.revision,
      next: event.revision,
      keyring: keyringAfter(known.keyring, event),
    }
  return known
}

/** The keys of a mailbox as of the end of its stream; undefined when there is no such stream, after the same time. */
export const ringOf = async (parts: NewestParts, mailboxId: MailboxId | undefined): Promise<Ring | undefined> => {
  const { next, keyring } = await newestOf(parts, mailboxId ?? nobody)
  return mailboxId === undefined || typeof next !== 'number' ? undefined : { mailboxId, revision: next, keyring }
}

/** Whether there is the mailbox, or still is. */
export const exists = ({ state }: MailboxAsOf): boolean =>
  state !== 'absent' && state !== 'deleted' && state !== 'destroyed' && state !== 'abandoned'
