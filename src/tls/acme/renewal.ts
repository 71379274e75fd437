import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock, Logger } from '../../core/ports.ts'
import { type Certificate, certificateOf } from '../certificate.ts'
import type { PairFiles } from '../pairFiles.ts'
import type { Ordered } from './order.ts'
import { RetryAfter } from './transport.ts'
import type { OrderTurns } from './turns.ts'

export type RenewalParts = {
  readonly certificates: PairFiles
  readonly turns: OrderTurns
  readonly names: readonly string[]
  readonly order: (signal: AbortSignal) => Promise<Ordered>
  /** Whether peers are shown the certificate of this fingerprint. */
  readonly isShown: (fingerprint: string) => boolean
  /** Shows the newest certificate of the key store. */
  readonly show: () => Promise<unknown>
  readonly counted: (outcome: 'issued' | 'failed') => void
  readonly node: string
  readonly clock: Clock
  readonly logger: Logger
}

/** Milliseconds between looks at the key store, where another gateway may have put a certificate. */
const lookEvery = 30_000
const leastWait = 500
/** After a success, for authorities whose certificates hold for less than they are told. */
const longestRest = 600_000

/**
 * Orders a certificate when there is none for all the names, and again when a third of its life is left; shows what it or another
 * gateway has ordered. Failures are logged and counted, and tried again as `turns` allow; meanwhile what is shown stays.
 */
export const keepCertificate = (parts: RenewalParts) => {
  const { certificates, turns, names, isShown, show, counted, node, clock, logger } = parts
  const stopped = new AbortController()
  const { signal } = stopped
  const look = async (): Promise<number> => {
    const { number, certificate } = await certificates.newest()
    if (certificate && !isShown(certificate.fingerprint)) await show()
    const due =
      certificate && names.every((name) => certificate.names.includes(name)) ? renewalOf(certificate, node) : 0
    const wait = due - clock.now().getTime()
    if (wait > 0) return wait
    const turn = await turns.begin()
    if (!turn) return lookEvery
    await place(number, turn)
    return leastWait
  }
  const place = async (number: number, turn: NonNullable<Awaited<ReturnType<OrderTurns['begin']>>>) => {
    try {
      logger.info({ names }, 'A certificate is ordered')
      const ordered = await parts.order(signal)
      await certificates.add(number + 1, ordered)
      await turn.succeeded(restAfter(ordered))
      // The last one stays: another gateway may not have seen that there is a newer one.
      await certificates.removeBefore(number)
      counted('issued')
      await show()
    } catch (error) {
      if (signal.aborted) return
      counted('failed')
      const next = await turn.failed(error instanceof RetryAfter ? error.seconds : 0)
      logger.error(
        { reason: reasonOf(error), next: next.toISOString() },
        'The certificate could not be ordered; what is shown stays',
      )
    }
  }
  const run = async () => {
    while (!signal.aborted) {
      const wait = await look().catch((error: unknown) => {
        logger.warn({ err: error }, 'It cannot be seen whether the certificate must be renewed')
        return lookEvery
      })
      await delay(Math.min(lookEvery, Math.max(leastWait, wait)), undefined, { signal, ref: false }).catch(
        () => undefined,
      )
    }
  }
  const running = run()
  return {
    /** An order that is under way is given up. Resolves when nothing runs any more. */
    close: async () => {
      stopped.abort()
      await running
    },
  }
}

/**
 * When a third of its life is left, a little earlier for each gateway in its own way: so that they do not all come at once, nor all
 * customers of an authority at the same hour.
 */
export const renewalOf = ({ notBefore, notAfter, fingerprint }: Certificate, node: string): number => {
  const lifetime = notAfter.getTime() - notBefore.getTime()
  const chance = createHash('sha256').update(`${fingerprint} ${node}`).digest().readUInt32BE() / 2 ** 32
  return notAfter.getTime() - lifetime / 3 - (chance * lifetime) / 30
}

const restAfter = (ordered: Ordered) => {
  const { notBefore, notAfter } = certificateOf(ordered)
  return Math.min(longestRest, (notAfter.getTime() - notBefore.getTime()) / 10)
}

/** What an authority says may be long. */
const reasonOf = (error: unknown) => {
  const { message, cause } = error instanceof Error ? error : new Error(String(error))
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'no reason is known'
  return (message || (cause instanceof Error ? cause.message : code)).slice(0, 500)
}
