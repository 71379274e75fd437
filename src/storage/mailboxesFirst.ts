import type { DatabaseSync } from 'node:sqlite'
import { mailboxes } from '../../projections/mailboxes.ts'
import { senders } from '../../projections/senders.ts'
import { checkpointOf, fold } from '../../projections/runner.ts'
import { origin, type Position } from '../core/ids.ts'
import type { EventLog } from '../core/ports.ts'
import { type CategoryReader, readCategories } from '../log/byCategory.ts'

/** Who receives mail and who sends it with a token, and the categories whose streams hold what these views are about. */
const first = [mailboxes, senders]
const categories = ['alias', 'mailbox', 'sender'] as const
const pageSize = 5000

/**
 * Brings the mailboxes and the senders up to the log's end, ahead of the other views: they are few events, and mail can be received as
 * soon as they are known. Each call resolves with the position up to which they are; it rejects with what the log rejects
 * with, or `UnreadableEvent`.
 */
export const mailboxesFirst = (
  log: Pick<EventLog, 'readAll' | 'head'> & Partial<CategoryReader>,
  db: DatabaseSync,
): (() => Promise<Position>) => {
  /** Nothing up to here is about a mailbox that has not been folded: a log need not be searched twice. */
  let searched = origin
  return async () => {
    const to = await log.head()
    for (;;) {
      const [folded = origin] = first.map(({ name }) => checkpointOf(db, name)).toSorted()
      const after = folded > searched ? folded : searched
      const events = after < to ? await readCategories(log, { categories, after, to, limit: pageSize }) : []
      if (events.length === 0) {
        searched = after < to ? to : after
        return to
      }
      fold(db, first, events)
    }
  }
}
