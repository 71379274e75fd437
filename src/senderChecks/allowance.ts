/** For how long something may be waited for in all, however often. */
export type Allowance = {
  /** What `work` gives, or undefined if that takes longer than what is left. */
  within<T>(work: Promise<T>): Promise<T | undefined>
}

export const allowance = (milliseconds: number): Allowance => {
  let left = milliseconds
  return {
    within: async (work) => {
      const since = performance.now()
      const { promise: over, resolve } = Promise.withResolvers<undefined>()
      const timer = setTimeout(() => resolve(undefined), Math.max(0, left))
      try {
        return await Promise.race([work, over])
      } finally {
        clearTimeout(timer)
        left -= performance.now() - since
      }
    },
  }
}
