import type { EventLog } from './core/ports.ts'
import type { Views } from './storage/views.ts'

/** Milliseconds that a look may take. */
const within = 10_000

/**
 * Resolves when the mailboxes are known that any gateway had made before the call. Who calls while a look at the log is
 * under way shares the next one with all others who do: that look began too early for them.
 */
export const currentMailboxes = (
  views: Pick<Views, 'mailboxesVisible'>,
  log: Pick<EventLog, 'head'>,
): (() => Promise<void>) => {
  let running: Promise<void> = Promise.resolve()
  let coming: Promise<void> | undefined
  const look = async () => views.mailboxesVisible(await log.head(), AbortSignal.timeout(within))
  const next = async (before: Promise<void>) => {
    // Its failure is told to those who waited for it.
    await before.catch(() => undefined)
    coming = undefined
    running = look()
    await running
  }
  return () => (coming ??= next(running))
}
