import { setImmediate as nextTurn } from 'node:timers/promises'
import { countByGeneration, type MessageCount } from '../../projections/generations.ts'
import type { ViewReader } from '../../projections/projection.ts'
import type { MailboxId, Position } from '../core/ids.ts'

/** Messages counted at once: the main thread is held for some milliseconds. */
const atOnce = 2000

/** How many messages of a mailbox are sealed under generations other than these. */
export const countShut = async (
  reader: ViewReader,
  mailboxId: MailboxId,
  open: readonly number[],
): Promise<MessageCount> => {
  let [messages, inMaildrop] = [0, 0]
  let after: Position | undefined
  do {
    const { counts, next } = countByGeneration(reader, mailboxId, { after, limit: atOnce })
    for (const [generation, count] of counts) {
      if (open.includes(generation)) continue
      messages += count.messages
      inMaildrop += count.inMaildrop
    }
    after = next
    if (after) await nextTurn()
  } while (after)
  return { messages, inMaildrop }
}
