/** Octets of messages that are in memory on their way to the vault, of all connections. */
export type Flight = {
  enter(octets: number): void
  leave(octets: number): void
  octets(): number
  /** There are as many as there may be: each connection is then read from only when its last octets were taken. */
  isFull(): boolean
  /** There are half as many: who could do without memory has to. */
  isHalfFull(): boolean
}

/** `further`: those that another counts. */
export const octetsInFlight = (limit: () => number, further: () => number = () => 0): Flight => {
  let own = 0
  const octets = () => own + further()
  return {
    enter: (count) => (own += count),
    leave: (count) => (own -= count),
    octets,
    isFull: () => octets() >= limit(),
    isHalfFull: () => octets() >= limit() / 2,
  }
}
