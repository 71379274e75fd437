import { setTimeout as delay } from 'node:timers/promises'
import { GatewayError } from './core/errors.ts'
import type { Logger } from './core/ports.ts'
import type { StandIns } from './standIn.ts'

/** How a gateway waits for a log that is not there yet. */
export type Waiting = {
  /** Waits a while. Rejects with `shutting-down` when the gateway is told to stop. */
  onAway(error: GatewayError): Promise<void>
  /** The log is there, or will not be waited for: what stood in for the listeners is closed. Idempotent. */
  over(): Promise<void>
}

export type WaitingParts = {
  /** Answers the peers meanwhile. */
  readonly standIn: () => Promise<StandIns>
  readonly logger: Logger
  readonly signal: AbortSignal | undefined
}

/** Milliseconds between looks, and between lines that say so. */
const lookEvery = 1_000
const sayEvery = 30_000

export const waitingForLog = ({ standIn, logger, signal }: WaitingParts): Waiting => {
  let standIns: StandIns | undefined
  let said = 0
  const say = (error: GatewayError) => {
    if (Date.now() - said < sayEvery) return
    said = Date.now()
    logger.warn(
      { reason: reasonOf(error) },
      'The event log cannot be reached. Waiting for it; until then SMTP answers 421, POP3 [SYS/TEMP], the API 503',
    )
  }
  return {
    onAway: async (error) => {
      standIns ??= await standIn()
      say(error)
      await delay(lookEvery, undefined, { signal }).catch(() => {
        throw new GatewayError('shutting-down')
      })
    },
    over: async () => {
      const closing = standIns
      standIns = undefined
      await closing?.close()
      if (closing) logger.info({}, 'The event log is there')
    },
  }
}

const reasonOf = ({ cause, message }: GatewayError) => (cause instanceof Error ? cause.message : message)
