/** Answers that are waited for, the oldest first. */
export type Owed = {
  /** The same promise, watched. */
  until<T>(answer: Promise<T>): Promise<T>
  /** Seconds for which the oldest has been waited for; 0 when none is. */
  seconds(): number
}

export const owedAnswers = (): Owed => {
  const since = new Map<object, number>()
  return {
    until: async (answer) => {
      const key = {}
      since.set(key, performance.now())
      try {
        return await answer
      } finally {
        since.delete(key)
      }
    },
    seconds: () => {
      const [oldest] = since.values()
      return oldest === undefined ? 0 : (performance.now() - oldest) / 1000
    },
  }
}
