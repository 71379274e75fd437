/** Room for so many octets at once, of whomever. */
export type Room = {
  readonly full: boolean
  enter(octets: number): void
  leave(octets: number): void
  /** Resolves when somebody has left. */
  left(): Promise<undefined>
}

export const room = (size: number): Room => {
  let inside = 0
  let next = Promise.withResolvers<undefined>()
  return {
    get full() {
      return inside >= size
    },
    enter: (octets) => {
      inside += octets
    },
    leave: (octets) => {
      inside -= octets
      next.resolve(undefined)
      next = Promise.withResolvers<undefined>()
    },
    left: () => next.promise,
  }
}
