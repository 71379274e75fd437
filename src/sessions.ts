import type { EventData, Fact, PeerProtocol, SessionOutcome, Stamp, TlsFacts } from './core/events.ts'
import { type EventId, eventId, newCommandId, type SessionId } from './core/ids.ts'
import type { EventLog, Logger } from './core/ports.ts'
import { sessionStream } from './core/streams.ts'
import { transcriptDigest } from './core/transcriptDigest.ts'

/** One TCP connection of a peer, as the log knows it. */
export type Peer = {
  readonly sessionId: SessionId
  readonly protocol: PeerProtocol
  readonly remoteAddress: string
  readonly tls: TlsFacts
}

/** A gateway's own connection on behalf of a client, as the log knows it. */
export type ProxyConnection = {
  /** Its own; the client's is in `connected`. */
  readonly sessionId: SessionId
  /** Of the client, who is the principal. */
  readonly clientAddress: string
  /** The event that it follows from: the client session's last. */
  readonly cause: EventId
  readonly connected: EventData['ProxyConnected']
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
 * matters (an accepted recipient, a login), `proxied` once the remote server has taken the login.
 */
export type SessionRecorder = {
  opened(peer: Peer): RecordedSession
  proxied(connection: ProxyConnection): RecordedSession
}

/** Whose facts they are: the stream's session, who caused them, and the client's session to which they belong. */
type Whose = { readonly sessionId: SessionId; readonly principal: `peer:${string}`; readonly correlationId: SessionId }

export const recordSessions = (log: Pick<EventLog, 'append'>, stamp: Stamp, logger: Logger): SessionRecorder => {
  const record = ({ sessionId, ...who }: Whose, fact: Fact, causationId: string) => {
    const commandId = newCommandId()
    const events = [stamp(fact, { ...who, causationId })]
    log
      .append({ stream: sessionStream(sessionId), expected: 'any', commandId, events })
      .catch((error: unknown) => logger.warn({ err: error, sessionId }, `${fact.type} was not recorded`))
    return eventId(commandId, 0)
  }
  const recorded = (whose: Whose, first: Fact, cause: string): RecordedSession => {
    let last = record(whose, first, cause)
    const happened = (fact: Fact) => void (last = record(whose, fact, last))
    return {
      cause: () => last,
      happened,
      closed: (end) =>
        happened({ type: 'SessionClosed', data: { ...end, transcriptSha256: transcriptDigest(end.transcript) } }),
    }
  }
  return {
    opened: ({ sessionId, protocol, remoteAddress, tls }) =>
      recorded(
        { sessionId, principal: `peer:${remoteAddress}`, correlationId: sessionId },
        { type: 'SessionOpened', data: { protocol, remoteAddress, tls } },
        sessionId,
      ),
    proxied: ({ sessionId, clientAddress, cause, connected }) =>
      recorded(
        { sessionId, principal: `peer:${clientAddress}`, correlationId: connected.clientSessionId },
        { type: 'ProxyConnected', data: connected },
        cause,
      ),
  }
}
