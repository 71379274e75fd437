import type { smtpSession } from '../../actors/smtpSession.ts'
import type { Archive } from '../archive.ts'
import type { Flight } from '../wire/flight.ts'
import type { SessionId } from '../core/ids.ts'
import type { CheckSender } from '../senderChecks/senderChecks.ts'
import type { JournalConnection } from './connection.ts'
import type { PeerShared } from './peerConnection.ts'
import type { Recipients } from './recipient.ts'
import type { Senders } from '../access/senders.ts'
import type { SenderPolicy } from '../core/senderPolicy.ts'

/** What all connections of journal senders share. */
export type SmtpShared = Recipients &
  PeerShared & {
    /** With its work provided: `receive` of the session's connection. */
    readonly machine: typeof smtpSession
    readonly archive: Archive
    readonly checkSender: CheckSender | undefined
    readonly flight: Flight
    readonly senders: Pick<Senders, 'offered' | 'authenticate' | 'maySend'>
    /** What is asked of every sender, whatever the mailbox. */
    readonly senderPolicy: () => SenderPolicy
    readonly running: Map<SessionId, JournalConnection>
  }
