import { eventId, newCommandId } from '../../src/core/ids.ts'
import type { Fact } from '../../src/core/events.ts'
import { transcriptDigest } from '../../src/core/transcriptDigest.ts'
import { judge } from '../../src/replaySession.ts'
import type { Peer, SessionEnd, SessionRecorder } from '../../src/sessions.ts'

type Listener = {
  opened(peer: Peer): void
  happened(fact: Fact): void
  closed(end: SessionEnd): void
}

/** A recorder without a log, which runs every session that it hears of through its machine again. */
export const replayingSessions = () => {
  const wrong: string[] = []
  const check = ({ sessionId }: Peer, end: SessionEnd) => {
    const { verdict, because } = judge(sessionId, { ...end, transcriptSha256: transcriptDigest(end.transcript) })
    if (verdict !== 'consistent') wrong.push(`${verdict}: ${because}\n${end.transcript}`)
  }
  return {
    recorder: (listener: Listener): SessionRecorder => ({
      opened: (peer) => {
        const cause = eventId(newCommandId(), 0)
        listener.opened(peer)
        return {
          cause: () => cause,
          happened: listener.happened,
          closed: (end) => {
            check(peer, end)
            listener.closed(end)
          },
        }
      },
    }),
    /** Throws unless every session was consistent with its transcript. */
    verify: () => {
      if (wrong.length > 0) throw new Error(wrong.join('\n'))
    },
  }
}
