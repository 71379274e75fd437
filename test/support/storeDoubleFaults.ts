/** What may go wrong with one append. */
export type Fault =
  /** Committed, and nothing is answered. */
  | { readonly is: 'silent' }
  /** Committed, and answered only after so many milliseconds. */
  | { readonly is: 'late'; readonly after: number }
  /** UNAVAILABLE, with or without the events having been committed. */
  | { readonly is: 'unavailable'; readonly committed: boolean }
  /** Another node is the leader. */
  | { readonly is: 'not-leader'; readonly port: number }
  /** Nothing is committed, and nothing is answered. */
  | { readonly is: 'swallowed' }
  /** The double's process ends itself by SIGKILL once the append is committed. */
  | { readonly is: 'killed' }

export type Faults = {
  arm(fault: Fault): void
  /** Faults that no append has met yet. */
  armed(): number
  /** The fault of the next append, once. */
  next(): Fault | undefined
  dropSubscriptions(): void
  /** Subscriptions register how they are ended. */
  onDrop(drop: () => void): () => void
}

export const faultsOf = (): Faults => {
  const armed: Fault[] = []
  const drops = new Set<() => void>()
  return {
    arm: (fault) => void armed.push(fault),
    armed: () => armed.length,
    next: () => armed.shift(),
    dropSubscriptions: () => drops.forEach((drop) => drop()),
    onDrop: (drop) => {
      drops.add(drop)
      return () => drops.delete(drop)
    },
  }
}
