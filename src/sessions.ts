import type { Fact, Protocol, SessionOutcome, Stamp, TlsFacts } from './core/events.ts'
import { type EventId, eventId, newCommandId, type SessionId } from './core/ids.ts'
import type { EventLog, Logger } from './core/ports.ts'
import { sessionStream } from './core/streams.ts'
import { transcriptDigest } from './core/transcriptDigest.ts'

/** One TCP connection of a peer, as the log knows it. */
export type Peer = {
  readonly sessionId: SessionId
  readonly protocol: Protocol
  readonly remoteAddress: string
  readonly tls: TlsFacts
}

export type SessionEnd = {
  readonly outcome: SessionOutcome
  readonly octetsIn: number
  readonly octetsOut: number
  /** In its canonical form. */
  readonly transcript: string
}

/**
 * A session that is in the log. Never waited for and never thrown from: the facts that an acknowledgement depends on are
 * appended by the use cases themselves. Each fact's cause is the one before it.
 */
export type RecordedSession = {
  /** The id of its last event so far: what follows from that names it as its cause. */
  cause(): EventId
  happened(fact: Fact): void
  closed(end: SessionEnd): void
}

/**
 * Writes the facts of sessions. A peer that only connects leaves none: the shell calls `opened` when the session first
 * matters (an accepted recipient, a login).
 */
export type SessionRecorder = { opened(peer: Peer): RecordedSession }

export const recordSessions = (log: Pick<EventLog, 'append'>, stamp: Stamp, logger: Logger): SessionRecorder => {
  const record = ({ sessionId, remoteAddress }: Peer, fact: Fact, causationId: string) => {
    const cause = { principal: `peer:${remoteAddress}`, correlationId: sessionId, causationId } as const
    const commandId = newCommandId()
    const events = [stamp(fact, cause)]
    log
      .append({ stream: sessionStream(sessionId), expected: 'any', commandId, events })
      .catch((error: unknown) => logger.warn({ err: error, sessionId }, `${fact.type} was not recorded`))
    return eventId(commandId, 0)
  }
  return {
    opened: (peer) => {
      const { sessionId, protocol, remoteAddress, tls } = peer
      let last = record(peer, { type: 'SessionOpened', data: { protocol, remoteAddress, tls } }, sessionId)
      const happened = (fact: Fact) => void (last = record(peer, fact, last))
      return {
        cause: () => last,
        happened,
        closed: (end) =>
          happened({ type: 'SessionClosed', data: { ...end, transcriptSha256: transcriptDigest(end.transcript) } }),
      }
    },
  }
}
