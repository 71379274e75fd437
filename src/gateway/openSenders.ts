import { hasSenders, listSenders, senderOf } from '../../projections/senders.ts'
import { createSenders, type Senders } from '../access/senders.ts'
import { seen } from '../mailboxes/seen.ts'
import type { Ground } from './ground.ts'
import type { Refusing } from './refusing.ts'

type SenderParts = Pick<Refusing, 'refused'> & { readonly current: (() => Promise<void>) | undefined }

/** Those who send mail with a token of their own. */
export const openSenders = (ground: Ground, { refused, current }: SenderParts): Senders => {
  const { log, keys, stamp, clock, logger, views } = ground
  return createSenders({
    log,
    keys,
    stamp,
    clock,
    logger,
    refused,
    views: {
      senderOf: (senderId) => senderOf(views.reader, senderId),
      all: () => listSenders(views.reader),
      any: () => hasSenders(views.reader),
      seen: (position) => seen({ visible: views.mailboxesVisible }, position),
      areComplete: () => views.status().mailboxesKnown,
      current,
    },
  })
}
