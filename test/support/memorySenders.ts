import { DatabaseSync } from 'node:sqlite'
import { viewWriter } from '../../projections/projection.ts'
import { createViews, fold } from '../../projections/runner.ts'
import { hasSenders, listSenders, senderOf, senders as projection } from '../../projections/senders.ts'
import { createSenders, type SendersParts } from '../../src/access/senders.ts'
import { stamper } from '../../src/core/events.ts'
import { newSessionId, origin } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/ports.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { memoryKeys } from './memoryKeys.ts'

type Wish = Partial<Pick<SendersParts, 'clock'>> & {
  readonly current?: () => Promise<void>
  /** Whether the views take in what is appended. */
  readonly follow?: () => boolean
  readonly complete?: () => boolean
}

/** Senders with a log, a key store and a view in memory. */
export const memorySenders = ({
  clock = systemClock,
  current,
  follow = () => true,
  complete = () => true,
}: Wish = {}) => {
  const log = memoryLog({ clock })
  const store = memoryKeys()
  const db = new DatabaseSync(':memory:')
  createViews(db, [projection])
  const reader = viewWriter(db)
  const refusals: string[] = []
  const catchUp = async () => fold(db, [projection], await log.readAll(origin, 10_000))
  const nothing = () => undefined
  const senders = createSenders({
    log,
    keys: store.keys,
    stamp: stamper('one', () => clock.now()),
    clock,
    logger: { info: nothing, warn: nothing, error: nothing },
    refused: (source, kind) => void refusals.push(`${source} ${kind}`),
    views: {
      senderOf: (senderId) => senderOf(reader, senderId),
      all: () => listSenders(reader),
      any: () => hasSenders(reader),
      seen: async () => (follow() ? catchUp() : undefined),
      areComplete: complete,
      current,
    },
  })
  const id = newSessionId()
  const cause = { principal: 'administrator:anna', correlationId: id, causationId: id } as const
  return { senders, log, store, refusals, catchUp, cause, close: () => db.close() }
}
