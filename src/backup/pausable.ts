import type { PauseDestruction } from './backups.ts'

/** Work that destroys, and can be kept from it for a while. */
export type Pausable = {
  /** Does the work, once it is not paused. */
  through<T>(work: () => Promise<T>): Promise<T>
  /** One pause at a time. */
  readonly pause: PauseDestruction
}

export const pausable = (): Pausable => {
  const running = new Set<Promise<unknown>>()
  let paused: Promise<undefined> | undefined
  return {
    through: async (work) => {
      while (paused) await paused
      const doing = work()
      running.add(doing)
      try {
        return await doing
      } finally {
        running.delete(doing)
      }
    },
    pause: async () => {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      paused = promise
      await Promise.allSettled(running)
      return () => {
        paused = undefined
        resolve(undefined)
      }
    },
  }
}
