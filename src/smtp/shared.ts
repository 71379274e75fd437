import type { smtpSession } from '../../actors/smtpSession.ts'
import type { Archive } from '../archive.ts'
import type { Limits } from '../config.ts'
import type { SessionId } from '../core/ids.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { SessionRecorder } from '../sessions.ts'
import type { JournalConnection } from './connection.ts'
import type { Recipients } from './recipient.ts'

export type SmtpLimits = Pick<
  Limits,
  'messageSize' | 'recipients' | 'smtpSessions' | 'smtpIdle' | 'badCommands' | 'transcript'
>

/** What all connections share. */
export type SmtpShared = Recipients & {
  /** With its work provided: `receive` of the session's connection. */
  readonly machine: typeof smtpSession
  readonly archive: Archive
  readonly sessions: SessionRecorder
  /** Counts a refusal by the peer's address. */
  readonly refused: (source: string, kind: string) => void
  readonly limits: SmtpLimits
  readonly logger: Logger
  readonly clock: Clock
  /** Sessions that are not over. */
  readonly running: Map<SessionId, JournalConnection>
  /** Connections whose socket is not closed; sessions that are over are among them. */
  readonly open: Set<JournalConnection>
}
