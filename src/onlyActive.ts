import type { Archive } from './archive.ts'
import type { MailboxId } from './core/ids.ts'
import { atEnd } from './wire/atEnd.ts'

/**
 * The archive, for mailboxes that take mail when the whole message is there, not only when it began: one that is deleted
 * meanwhile has no identity any more that could open it. `mustTake` throws what the sender is told.
 */
export const onlyActive = (archive: Archive, mustTake: (mailboxId: MailboxId) => void): Archive => ({
  receive: (delivery, body, checks) =>
    archive.receive(
      delivery,
      atEnd(body, () => mustTake(delivery.mailboxId)),
      checks,
    ),
})
