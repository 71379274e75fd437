import type { Cause, EventData, Fact, Stamp } from './core/events.ts'
import { type MailboxId, newCommandId, type SessionId } from './core/ids.ts'
import type { Clock, EventLog } from './core/ports.ts'
import { requestStream } from './core/streams.ts'
import { appendSurely } from './core/appending.ts'

type Opened = EventData['RecordOpened']

/** What is read or taken away through the API, and leaves nothing in it otherwise. `cause` is a request's. */
export type Audit = {
  /**
   * Resolves when it is durable that somebody reads a record; only then may it be released. Who reads the same again within ten
   * minutes from the same address has been recorded: pages and polls do not fill the log.
   */
  read(record: Opened, cause: Cause): Promise<void>
  /** The same, each time: for what leaves the gateway. */
  opened(record: Opened, cause: Cause): Promise<void>
  exported(identity: EventData['IdentityExported'], cause: Cause): Promise<void>
  /** That somebody tried to destroy what has to stay is known as well. */
  deletionRefused(refusal: EventData['MailboxDeletionRefused'], cause: Cause): Promise<void>
}

export type AuditParts = { readonly log: Pick<EventLog, 'append'>; readonly stamp: Stamp; readonly clock: Clock }

/** Milliseconds in which reading the same again is one reading. */
const oneReading = 10 * 60_000
/** Readings remembered at most; one that is forgotten is recorded again. */
const capacity = 10_000

export const createAudit = ({ log, stamp, clock }: AuditParts): Audit => {
  const readings = new Map<string, { readonly at: number; readonly recorded: Promise<void> }>()
  const now = () => clock.now().getTime()

  const append = async (fact: Fact, cause: Cause) => {
    const stream = requestStream(cause.correlationId as SessionId) // of a request, which has such an id
    await appendSurely(log, { stream, expected: 'any', commandId: newCommandId(), events: [stamp(fact, cause)] })
  }
  const opened = (data: Opened, cause: Cause) => append({ type: 'RecordOpened', data }, cause)

  return {
    opened,
    // Who asks for the same while it is being recorded waits for that.
    read: (record, cause) => {
      const key = JSON.stringify([cause.principal, cause.source, record])
      const last = readings.get(key)
      if (last && now() - last.at < oneReading) return last.recorded
      const reading = { at: now(), recorded: opened(record, cause) }
      readings.delete(key)
      readings.set(key, reading)
      for (const oldest of readings.keys()) if (readings.size > capacity) readings.delete(oldest)
      reading.recorded.catch(() => {
        if (readings.get(key) === reading) readings.delete(key)
      })
      return reading.recorded
    },
    exported: (data, cause) => append({ type: 'IdentityExported', data }, cause),
    deletionRefused: (data, cause) => append({ type: 'MailboxDeletionRefused', data }, cause),
  }
}

/** The mailbox or message that a stream is of, as far as its name says. */
export const subjectOf = (stream: string | undefined): { readonly mailboxId?: MailboxId } => {
  const [, mailboxId] = /^(?:mailbox|maildrop)-(mbx-[0-9a-f]{32})$/.exec(stream ?? '') ?? []
  return mailboxId === undefined ? {} : { mailboxId: mailboxId as MailboxId }
}
