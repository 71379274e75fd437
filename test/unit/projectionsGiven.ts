import { DatabaseSync } from 'node:sqlite'
import { viewReader, type ViewReader } from '../../projections/projection.ts'
import { projections } from '../../projections/projections.ts'
import { createViews, fold } from '../../projections/runner.ts'
import { type Cause, type Fact, type Recorded, stamper } from '../../src/core/events.ts'
import { type MailboxId, type MessageId, newCommandId, origin, type SessionId } from '../../src/core/ids.ts'
import type { EventLog } from '../../src/core/ports.ts'
import type { StreamName } from '../../src/core/streams.ts'
import { memoryLog } from '../../src/log/memory.ts'

/** An instant for every event: the n-th is n seconds past noon. */
export const steppingClock = () => {
  let seconds = 0
  return { now: () => new Date(Date.UTC(2026, 0, 1, 12, 0, ++seconds)) }
}

export const byTest: Cause = { principal: 'administrator:test', correlationId: 'request', causationId: 'request' }

export type Given = readonly [stream: StreamName, ...facts: readonly Fact[]]

/** Appends each group as one command. */
export const append = async (log: EventLog, given: readonly Given[]): Promise<void> => {
  const clock = steppingClock()
  const stamp = stamper('test', () => clock.now())
  for (const [stream, ...facts] of given) {
    const events = facts.map((fact) => stamp(fact, byTest))
    await log.append({ stream, expected: 'any', commandId: newCommandId(), events })
  }
}

export const recorded = async (...given: readonly Given[]): Promise<readonly Recorded[]> => {
  const log = memoryLog({ clock: steppingClock() })
  await append(log, given)
  return log.readAll(origin, 10_000)
}

export const emptyViews = (): DatabaseSync => {
  const db = new DatabaseSync(':memory:')
  createViews(db, projections)
  return db
}

/** The views after these events. */
export const viewsAfter = async (...given: readonly Given[]): Promise<ViewReader> => {
  const db = emptyViews()
  fold(db, projections, await recorded(...given))
  return viewReader(db)
}

/** Everything that the views hold. */
export const contentsOf = (db: DatabaseSync): Readonly<Record<string, readonly unknown[]>> => {
  const tables = db.prepare(`select name from sqlite_schema where type = 'table' order by name`).all()
  return Object.fromEntries(
    tables.map(({ name }) => [
      name as string,
      db
        .prepare(`select * from "${name as string}" order by 1`)
        .all()
        .map((row) => ({ ...row })),
    ]),
  )
}

const hex = (n: number, digits: number) => n.toString(16).padStart(digits, '0')
export const mailboxId = (n: number) => `mbx-${hex(n, 32)}` as MailboxId
export const messageId = (n: number) => `0198a7c2-0000-7000-8000-${hex(n, 12)}` as MessageId
export const sessionId = (n: number) => `0198a7c2-0000-7000-9000-${hex(n, 12)}` as SessionId

export const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' } as const
