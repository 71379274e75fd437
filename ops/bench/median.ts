/** The value at that share of the sorted values; NaN of none. */
export const median = (values: readonly number[], share = 0.5): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? NaN
