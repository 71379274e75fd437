import { eventId, newCommandId, type SessionId } from '../../src/core/ids.ts'
import type { Fact } from '../../src/core/events.ts'
import { transcriptDigest } from '../../src/core/transcriptDigest.ts'
import { judge } from '../../src/replaySession.ts'
import type { Peer, ProxyConnection, RecordedSession, SessionEnd, SessionRecorder } from '../../src/sessions.ts'

type Listener = {
  opened(peer: Peer): void
  proxied?(connection: ProxyConnection): void
  happened(fact: Fact): void
  closed(end: SessionEnd): void
}

/** A recorder without a log, which runs every session that it hears of through its machine again. */
export const replayingSessions = () => {
  const wrong: string[] = []
  const check = (sessionId: SessionId, end: SessionEnd) => {
    const { verdict, because } = judge(sessionId, { ...end, transcriptSha256: transcriptDigest(end.transcript) })
    if (verdict !== 'consistent') wrong.push(`${verdict}: ${because}\n${end.transcript}`)
  }
  return {
    recorder: (listener: Listener): SessionRecorder => {
      const recorded = (sessionId: SessionId): RecordedSession => {
        const cause = eventId(newCommandId(), 0)
        return {
          cause: () => cause,
          happened: listener.happened,
          closed: (end) => {
            check(sessionId, end)
            listener.closed(end)
          },
        }
      }
      return {
        opened: (peer) => {
          listener.opened(peer)
          return recorded(peer.sessionId)
        },
        proxied: (connection) => {
          listener.proxied?.(connection)
          return recorded(connection.sessionId)
        },
      }
    },
    /** Throws unless every session was consistent with its transcript. */
    verify: () => {
      if (wrong.length > 0) throw new Error(wrong.join('\n'))
    },
  }
}
