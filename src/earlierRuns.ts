import { setTimeout as delay } from 'node:timers/promises'
import { asGatewayError } from './core/errors.ts'
import type { Logger } from './core/ports.ts'
import { closeLostSessions, type LostSessionsParts } from './lostSessions.ts'
import { type PendingParts, settlePendingRelays } from './relays.ts'

/** Milliseconds between attempts. */
const pause = 5_000

/**
 * Brings to its end what earlier runs of this gateway left open: sessions, and the relaying of messages. Tries until it is
 * done or the gateway stops, which leaves the rest to its next start. Never rejects.
 */
export const endEarlierRuns = async ({
  logger,
  ...parts
}: LostSessionsParts & PendingParts & { readonly logger: Logger }) => {
  const surely = async (what: string, work: () => Promise<number>) => {
    for (;;) {
      try {
        const count = await work()
        if (count > 0) logger.warn({ count }, `${what} left open by the last run were brought to an end`)
        return
      } catch (error) {
        if (asGatewayError(error).code === 'shutting-down') return
        logger.warn({ err: error }, `${what} left open by the last run could not be ended yet`)
        await delay(pause, undefined, { ref: false })
      }
    }
  }
  await Promise.all([
    surely('Sessions', () => closeLostSessions(parts)),
    surely('Messages on their way to a server', () => settlePendingRelays(parts)),
  ])
}
