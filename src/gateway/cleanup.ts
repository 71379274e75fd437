/** What is undone when the gateway stops or cannot start. */
export type Cleanup = {
  /** A step that undoes what has just been done. */
  add(step: () => unknown): void
  /** Undoes what was done, the last first; each step is tried whatever became of the others. Never rejects. */
  run(): Promise<void>
}

export const createCleanup = (): Cleanup => {
  const steps: (() => unknown)[] = []
  return {
    add: (step) => void steps.push(step),
    run: async () => {
      for (let step = steps.pop(); step; step = steps.pop()) await Promise.try(step).catch(() => undefined)
    },
  }
}
