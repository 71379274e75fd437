import { asGatewayError } from './core/errors.ts'
import type { Logger } from './core/ports.ts'
import { closeLostSessions, type LostSessionsParts } from './lostSessions.ts'
import { settlePendingRelays } from './relays.ts'

/** Brings to its end what earlier runs of this gateway left open: sessions, and the relaying of messages. Never rejects. */
export const endEarlierRuns = async ({ logger, ...parts }: LostSessionsParts & { readonly logger: Logger }) => {
  const failed = (what: string) => (error: unknown) => {
    // A gateway that stops leaves them to its next start.
    if (asGatewayError(error).code === 'shutting-down') return
    logger.warn({ err: error }, `${what} could not be ended; the next start will`)
  }
  const told = (what: string) => (count: number) => {
    if (count > 0) logger.warn({ count }, what)
  }
  await Promise.all([
    closeLostSessions(parts).then(
      told('Sessions that the last run left open were closed as lost'),
      failed('Sessions that the last run left open'),
    ),
    settlePendingRelays(parts).then(
      told('Messages whose relaying the last run left open are held for relayed'),
      failed('The relaying that the last run left open'),
    ),
  ])
}
