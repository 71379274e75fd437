import { setImmediate as nextTurn } from 'node:timers/promises'
import { maildropOf } from '../projections/maildrops.ts'
import { GatewayError } from './core/errors.ts'
import type { MailboxId, Position } from './core/ids.ts'
import type { EventLog } from './core/ports.ts'
import type { MaildropEntry } from './maildrop.ts'
import type { Views } from './storage/views.ts'

/** Milliseconds that a login waits for views that are behind the log. */
const visibleWithin = 10_000
/** Entries of a maildrop read at once: the main thread is held for some milliseconds. */
const entriesAtOnce = 2000
/** Milliseconds that a mail client waits for the views to know what it has read before: at worst a copy is kept twice. */
const knownWithin = 1000

/** Resolves when the views know what had happened before the call, or after a second. */
export const caughtUp = async (views: Views, log: Pick<EventLog, 'head'>) => {
  try {
    await views.visible(await log.head(), AbortSignal.timeout(knownWithin))
  } catch {
    // They are being built, or the log is away: then nothing will be recorded or deleted either.
  }
}

/** Everything that was acknowledged before the call, in the log's order. */
export const snapshotOf = async (views: Views, log: Pick<EventLog, 'head'>, mailboxId: MailboxId) => {
  const signal = AbortSignal.timeout(visibleWithin)
  await views.visible(await log.head(), signal).catch((error: unknown) => {
    throw signal.aborted ? new GatewayError('views-behind', { cause: error }) : error
  })
  const entries: MaildropEntry[] = []
  let after: Position | undefined
  do {
    const page = maildropOf(views.reader, mailboxId, { after, limit: entriesAtOnce })
    entries.push(...page.items)
    after = page.next
    if (after) await nextTurn()
  } while (after)
  return entries
}
