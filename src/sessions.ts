import type { Fact, Protocol, SessionOutcome, Stamp, TlsFacts } from './core/events.ts'
import { newCommandId, type SessionId } from './core/ids.ts'
import type { EventLog, Logger } from './core/ports.ts'
import { sessionStream } from './core/streams.ts'

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
}

/**
 * Writes the facts of sessions. A peer that only connects leaves none: the shell calls `opened` when the session first
 * matters (an accepted recipient, a login). Never waited for and never thrown from: the facts that an acknowledgement
 * depends on are appended by the use cases themselves.
 */
export type SessionRecorder = {
  opened(peer: Peer): void
  /** A fact of an opened session, into its stream. */
  happened(peer: Peer, fact: Fact): void
  closed(peer: Peer, end: SessionEnd): void
}

export const recordSessions = (log: Pick<EventLog, 'append'>, stamp: Stamp, logger: Logger): SessionRecorder => {
  const happened = (peer: Peer, fact: Fact) => {
    const cause = {
      principal: `peer:${peer.remoteAddress}`,
      correlationId: peer.sessionId,
      causationId: peer.sessionId,
    } as const
    log
      .append({
        stream: sessionStream(peer.sessionId),
        expected: 'any',
        commandId: newCommandId(),
        events: [stamp(fact, cause)],
      })
      .catch((error: unknown) =>
        logger.warn({ err: error, sessionId: peer.sessionId }, `${fact.type} was not recorded`),
      )
  }
  return {
    happened,
    opened: (peer) => {
      const { protocol, remoteAddress, tls } = peer
      happened(peer, { type: 'SessionOpened', data: { protocol, remoteAddress, tls } })
    },
    closed: (peer, { outcome, octetsIn, octetsOut }) =>
      happened(peer, { type: 'SessionClosed', data: { outcome, octetsIn, octetsOut } }),
  }
}
