import { type Deletions, isDeleted } from '../../actors/deletions.ts'
import type { MaildropEntry } from '../maildrop.ts'
import type { Channel } from '../wire/channel.ts'

/** Lines that are written before the peer is waited for. */
const piece = 500

const texts = {
  list: (entry: MaildropEntry) => entry.wireSize,
  uidl: (entry: MaildropEntry) => entry.messageId,
}

export type Listing = {
  readonly listing: keyof typeof texts
  readonly entries: readonly MaildropEntry[]
  readonly deletions: Deletions
  readonly signal: AbortSignal
}

/** RFC 1939 §5 and §7: a line for each message that is not marked as deleted, and the end. */
export const writeListing = async (channel: Channel, { listing, entries, deletions, signal }: Listing) => {
  const textOf = texts[listing]
  for (let from = 0; from < entries.length; from += piece) {
    const lines = entries
      .slice(from, from + piece)
      .map((entry, i) => (isDeleted(deletions, from + i + 1) ? '' : `${from + i + 1} ${textOf(entry)}\r\n`))
    channel.write(lines.join(''))
    await channel.drained()
    signal.throwIfAborted()
  }
  channel.write('.\r\n')
}
