import { gathered, keepChunk } from '../core/chunks.ts'
import type { DkimResult } from '../core/events.ts'
import type { Call } from '../storage/calls.ts'
import { spent } from '../spent.ts'
import type { Allowance } from './allowance.ts'
import type { CheckerMethods } from './checkerThread.ts'
import type { Room } from './room.ts'
import { signedHeader } from './signedHeader.ts'

/** Octets of a message that cross to the checker thread at once. */
const enough = 64 * 1024

export type HearingParts = {
  readonly call: Call<CheckerMethods>
  /** The message's number. */
  readonly id: number
  readonly room: Room
  readonly allowance: Allowance
  /** Of the questions about its keys. */
  readonly milliseconds: number
}

/** The signatures of one message, which is heard piece by piece. Nothing here rejects. */
export type Hearing = {
  /** The chunk is only looked at. */
  take(chunk: Uint8Array): Promise<void>
  /** The message was whole. */
  end(): Promise<void>
  /** Nobody needs to know any more. */
  drop(): void
  /** Resolves after `end`, or before when the rest does not matter. */
  readonly results: Promise<readonly DkimResult[]>
}

/** An unsigned message, as most are that a journal brings, never leaves this thread. */
export const hearing = ({ call, id, room, allowance, milliseconds }: HearingParts): Hearing => {
  const header = signedHeader()
  const { promise: results, resolve } = Promise.withResolvers<readonly DkimResult[]>()
  let state: 'header' | 'signed' | 'over' = 'header'
  let kept: Uint8Array[] = []
  let octets = 0
  let sent = false

  const isOver = () => state === 'over'
  const over = (found: readonly DkimResult[]) => {
    state = 'over'
    kept = []
    resolve(found)
  }
  const giveUp = (found: readonly DkimResult[]) => {
    if (sent) call('drop', { id }).catch(() => undefined)
    over(found)
  }
  const send = async (last: boolean) => {
    const piece = gathered(kept)
    const size = piece.length
    for (const chunk of kept) spent(chunk)
    kept = []
    octets = 0
    while (room.full)
      if ((await allowance.within(room.left().then(() => true))) === undefined) {
        giveUp(['temperror'])
        return
      }
    // Dropped while it waited: the thread is not to hear of it again.
    if (isOver()) return
    room.enter(size)
    sent = true
    void call('dkim', { id, octets: piece, last, milliseconds }, [piece.buffer])
      .then(
        // Early, further pieces may be on their way: to forget the message comes behind them.
        (found) => found && (last ? over : giveUp)(found),
        () => over(['temperror']),
      ) // prettier-ignore
      .finally(() => room.leave(size))
  }
  const judged = (signed: ReturnType<typeof header.end> | undefined) => {
    if (signed === 'signed') state = 'signed'
    else if (signed !== undefined) over(signed === 'unsigned' ? [] : ['policy'])
  }
  return {
    async take(chunk) {
      if (state === 'over') return
      const own = new Uint8Array(chunk)
      keepChunk(kept, own)
      octets += own.length
      if (state === 'header') judged(header.push(own))
      if (state === 'signed' && octets >= enough) await send(false)
    },
    async end() {
      if (state === 'header') judged(header.end())
      if (state === 'signed') await send(true)
    },
    drop: () => {
      if (state !== 'over') giveUp(['temperror'])
    },
    results,
  }
}
