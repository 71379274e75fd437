import { GatewayError } from '../core/errors.ts'

/** Runs `work` after all that was asked for before it; refuses with `overloaded` when too many wait already. */
export type OneAtATime = <T>(work: () => Promise<T>) => Promise<T>

/** At most one at a time, and at most `waitingAtMost` waiting: one scrypt may hold hundreds of MiB. */
export const oneAtATime = (waitingAtMost: number): OneAtATime => {
  let last: Promise<unknown> = Promise.resolve()
  let present = 0
  return async (work) => {
    if (present > waitingAtMost) throw new GatewayError('overloaded')
    present++
    const turn = last.then(work)
    last = turn.catch(() => undefined)
    try {
      return await turn
    } finally {
      present--
    }
  }
}
