import { type MailboxId, origin, type Position } from '../src/core/ids.ts'
import type { PageRequest, ViewReader } from './projection.ts'

/** How many messages. */
export type MessageCount = {
  /** Those that were not destroyed. */
  readonly messages: number
  /** Of them those that a POP3 client would see. */
  readonly inMaildrop: number
}

/** A part of a mailbox's messages, destroyed ones left out: how many are sealed under which generation. */
export const countByGeneration = (
  reader: ViewReader,
  mailboxId: MailboxId,
  { after = origin, limit }: PageRequest,
): { readonly counts: ReadonlyMap<number, MessageCount>; readonly next: Position | undefined } => {
  const select = `select generation, maildropPosition is not null, purge is not null, position from message
    where mailboxId = ? and position > ? and object is not null order by position limit ?`
  const rows = reader.columns(select, mailboxId, after, limit)
  const counts = new Map<number, MessageCount>()
  for (const [generation, inMaildrop, isPurged] of rows) {
    if (isPurged) continue
    const before = counts.get(generation as number) ?? { messages: 0, inMaildrop: 0 }
    counts.set(generation as number, {
      messages: before.messages + 1,
      inMaildrop: before.inMaildrop + (inMaildrop as number),
    })
  }
  return { counts, next: rows.length < limit ? undefined : (rows.at(-1)?.[3] as Position) }
}
