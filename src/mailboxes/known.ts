import { countMaildrop } from '../../projections/maildrops.ts'
import { type Mailbox, mailboxCreatedUnder, mailboxOf } from '../../projections/mailboxes.ts'
import { countPending } from '../../projections/messages.ts'
import type { ViewReader } from '../../projections/projection.ts'
import type { MailboxState } from '../../actors/mailbox.ts'
import type { MailboxesParts } from '../mailboxes.ts'

/** What the use cases of a mailbox's life ask the views. */
export const knownMailboxes = (reader: ViewReader): Omit<MailboxesParts['views'], 'visible' | 'allVisible'> => ({
  mailboxAsOf: (mailboxId) => {
    const mailbox = mailboxOf(reader, mailboxId)
    if (!mailbox) return undefined
    const { revision, streamRevision: next, keyring } = mailbox
    return { state: stateOf(mailbox), revision, next, keyring }
  },
  aliasesOf: (mailboxId) => mailboxOf(reader, mailboxId)?.aliases ?? [],
  undrained: (mailboxId) => countMaildrop(reader, mailboxId) + countPending(reader, mailboxId),
  createdUnder: (keySha256) => mailboxCreatedUnder(reader, keySha256),
})

const stateOf = ({ state, hold }: Mailbox): MailboxState =>
  hold && (state === 'active' || state === 'suspended') ? `${state}Held` : state
