/** Runs work, when its turn comes; settles as it does. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>

/**
 * Half of those who are here work while the other half's peers are answered. If all did, their work would be committed
 * together and all answered at once, so that this thread and the main thread took turns too: measured at 20
 * connections, two messages in three. Up to `atLeast` never wait; of many, large halves keep commits few.
 */
export const inHalves = (atLeast: number): Turns => {
  let working = 0
  const waiting: (() => void)[] = []
  const admit = () => {
    while (waiting.length > 0 && working < Math.max(atLeast, (working + waiting.length) / 2)) {
      working++
      waiting.shift()?.()
    }
  }
  return async (work) => {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    waiting.push(() => resolve(undefined))
    admit()
    await promise
    try {
      return await work()
    } finally {
      working--
      admit()
    }
  }
}
