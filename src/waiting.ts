import { setTimeout as delay } from 'node:timers/promises'
import { asGatewayError, type ErrorCode, GatewayError } from './core/errors.ts'
import type { Logger } from './core/ports.ts'
import type { StandIns } from './standIn.ts'

/** How a gateway waits for a log that is not there yet. */
export type Waiting = {
  /** Waits a while. Rejects with `shutting-down` when the gateway is told to stop. */
  onAway(error: GatewayError): Promise<void>
  /** Does the work again, waiting in between, as long as it fails because the log is away. */
  through<T>(work: () => Promise<T>): Promise<T>
  /** The log is there, or will not be waited for: what stood in for the listeners is closed. Idempotent. */
  over(): Promise<void>
}

export type WaitingParts = {
  /** Answers the peers meanwhile. */
  readonly standIn: () => Promise<StandIns>
  readonly logger: Logger
  readonly signal: AbortSignal | undefined
  /** Whether it may come back: a log in a file of this machine is there or will not be. */
  readonly mayReturn: boolean
}

/** Milliseconds between looks, and between lines that say so. */
const lookEvery = 1_000
const sayEvery = 30_000

export const waitingForLog = ({ standIn, logger, signal, mayReturn }: WaitingParts): Waiting => {
  let standIns: Promise<StandIns> | undefined
  let said = 0
  const say = (error: GatewayError) => {
    if (Date.now() - said < sayEvery) return
    said = Date.now()
    logger.warn(
      { reason: reasonOf(error) },
      'The event log cannot be reached. Waiting for it; until then SMTP answers 421, POP3 [SYS/TEMP], the API 503',
    )
  }
  const onAway = async (error: GatewayError) => {
    await (standIns ??= standIn())
    say(error)
    await delay(lookEvery, undefined, { signal }).catch(() => {
      throw new GatewayError('shutting-down')
    })
  }
  return {
    onAway,
    through: async (work) => {
      for (;;) {
        try {
          return await work()
        } catch (error) {
          const failure = asGatewayError(error)
          if (!mayReturn || !isAway.has(failure.code)) throw error
          await onAway(failure)
        }
      }
    },
    over: async () => {
      const closing = standIns
      standIns = undefined
      await (await closing?.catch(() => undefined))?.close()
      if (closing) logger.info({}, 'The event log is there')
    },
  }
}

/** How a log answers that cannot be reached, or not surely. */
const isAway: ReadonlySet<ErrorCode> = new Set(['storage-failed', 'not-written', 'outcome-unknown'])

const reasonOf = ({ cause, message }: GatewayError) => (cause instanceof Error ? cause.message : message)
