/** A source of chance that the same seed repeats. */
export type Random = {
  /** From 0 to below 1. */
  unit(): number
  /** A whole number from `low` up to and with `high`. */
  whole(low: number, high: number): number
  chance(probability: number): boolean
  /** One of them, of which there is at least one. */
  one<T>(choices: readonly T[]): T
  /** Another source, whose numbers do not depend on how many are taken from this one. */
  fork(): Random
}

/** Mulberry32: small, quick, and good enough to choose moments. */
export const randomFrom = (seed: number): Random => {
  let state = seed >>> 0
  const unit = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (low: number, high: number) => low + Math.floor(unit() * (high - low + 1))
  return {
    unit,
    whole,
    chance: (probability) => unit() < probability,
    // The index is below the length, which is at least 1.
    one: <T>(choices: readonly T[]) => choices[whole(0, choices.length - 1)] as T,
    fork: () => randomFrom(whole(0, 2 ** 32 - 1)),
  }
}
